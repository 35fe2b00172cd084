package worker

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	orchestratorv1 "orchestrator.internal/client/v1"
)

// TestTask is the task that a handler under test sees; what is zero has a value that fits.
type TestTask struct {
	RunID, ID, FlowID, Queue, Handler, IdempotencyKey, CorrelationID string
	Traceparent, Tracestate                                          string
	Attempt, FencingToken                                            int
	// Timeout is how long the attempt may take; 0: there is no limit.
	Timeout time.Duration
	// LastCheckpoint is what an earlier attempt has saved; nil: nothing.
	LastCheckpoint any
}

// TestResult is what the service would learn of a call.
type TestResult[Out any] struct {
	// State is "succeeded", "failed", "stopped", or "detached".
	State  string
	Output Out
	// Err is the error as flows and retry policies see it; nil unless the handler failed.
	Err *Error
	// Heartbeats is how often the handler called Heartbeat.
	Heartbeats int
	// Progress and Logs are what it told those who watch, and Checkpoints what it saved, as JSON.
	Progress    []Progress
	Logs        []string
	Checkpoints []string
}

// testMaxOutputBytes is the largest output of a service with default settings.
const testMaxOutputBytes = 4 << 20

// RunHandler calls a handler without a service, for its unit tests, as a worker does: input and output travel as JSON. The end of ctx
// cancels the task.
func RunHandler[In, Out any](
	ctx context.Context, function func(context.Context, In) (Out, error), input In, task TestTask,
) (TestResult[Out], error) {
	var result TestResult[Out]
	text, err := json.Marshal(input)
	if err != nil {
		return result, err
	}
	message := task.message(text)
	if task.LastCheckpoint != nil {
		if message.CheckpointJson, err = json.Marshal(task.LastCheckpoint); err != nil {
			return result, err
		}
	}
	var said []*orchestratorv1.TaskReport
	var mu sync.Mutex
	held := newHeldTask(message, func(held *heldTask) {
		reports, _ := held.take(1)
		mu.Lock()
		defer mu.Unlock()
		said = append(said, reports...)
	})
	defer context.AfterFunc(ctx, func() { held.abort(ErrCanceled) })()
	report := held.call(encodeHandler(function), testMaxOutputBytes)
	held.drop()
	mu.Lock()
	defer mu.Unlock()
	for _, one := range said {
		result.note(one)
	}
	if result.State == "detached" {
		return result, nil
	}
	switch event := report.GetEvent().(type) {
	case *orchestratorv1.TaskReport_Succeeded:
		result.State = "succeeded"
		return result, json.Unmarshal(event.Succeeded.GetOutputJson(), &result.Output)
	case *orchestratorv1.TaskReport_Failed:
		result.State = "failed"
		result.Err = &Error{
			Type: event.Failed.GetType(), Message: event.Failed.GetMessage(), NonRetryable: event.Failed.GetNonRetryable(),
			NextRetryDelay: event.Failed.GetNextRetryDelay().AsDuration(),
		}
		return result, nil
	case *orchestratorv1.TaskReport_Stopped:
		result.State = "stopped"
		return result, nil
	}
	return result, errors.New("the handler ended in a way that no service can ask for")
}

func (r *TestResult[Out]) note(report *orchestratorv1.TaskReport) {
	switch event := report.GetEvent().(type) {
	case *orchestratorv1.TaskReport_Alive:
		r.Heartbeats++
	case *orchestratorv1.TaskReport_Progress:
		told := event.Progress
		r.Progress = append(r.Progress, Progress{told.Fraction, told.Current, told.Total, told.GetMessage()})
	case *orchestratorv1.TaskReport_Log:
		r.Logs = append(r.Logs, event.Log.GetText())
	case *orchestratorv1.TaskReport_Checkpoint:
		r.Checkpoints = append(r.Checkpoints, string(event.Checkpoint.GetCheckpointJson()))
	case *orchestratorv1.TaskReport_Detached:
		r.State = "detached"
	}
}

func (t TestTask) message(input []byte) *orchestratorv1.WorkerTask {
	or := func(text, fallback string) string {
		if text == "" {
			return fallback
		}
		return text
	}
	message := &orchestratorv1.WorkerTask{
		TaskToken: "test", InputJson: input,
		RunId: or(t.RunID, "test-run"), TaskId: or(t.ID, "test"), FlowId: or(t.FlowID, "test-flow"),
		Queue: or(t.Queue, "default"), Handler: or(t.Handler, "test"), CorrelationId: t.CorrelationID,
		Attempt: int32(max(1, t.Attempt)), FencingToken: int32(max(1, t.FencingToken)),
		IdempotencyKey: or(t.IdempotencyKey, "test-run/test/0"), Traceparent: t.Traceparent, Tracestate: t.Tracestate,
	}
	if t.Timeout > 0 {
		message.Timeout = durationpb.New(t.Timeout)
	}
	return message
}
