package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	orchestratorv1 "orchestrator.internal/client/v1"
)

// Why the context of a handler ends, as [context.Cause] gives it. ErrTimeout also ends the contexts of [context.WithTimeout] below.
var (
	ErrCanceled = errors.New("the task is canceled")
	ErrOutdated = errors.New("the task is no longer this worker's")
	ErrTimeout  = errors.New("the handler took too long")
	ErrStopping = errors.New("the worker stops")
)

const (
	maxProgress   = 1_024
	maxLine       = 4_096
	maxCheckpoint = 65_536
)

// Task is what a handler knows of its task; see [TaskOf].
type Task struct {
	RunID string
	// ID is the path of the task in its run.
	ID      string
	FlowID  string
	Queue   string
	Handler string
	// Attempt counts from 1.
	Attempt int
	// IdempotencyKey is the same for all attempts of the task: pass it on, so that the effect happens once.
	IdempotencyKey string
	// FencingToken rises with every hand-over: a system that keeps the highest one it has seen can refuse a late attempt.
	FencingToken int
	// CorrelationID links the run to work elsewhere; empty when it has none.
	CorrelationID string
	// Traceparent is the position of the attempt in the trace of its run, by W3C Trace Context; empty when there is none.
	// With OpenTelemetry, extract it with propagation.TraceContext from propagation.MapCarrier(task.TraceContext()).
	Traceparent string
	// Tracestate belongs to it.
	Tracestate string
	// Token names the hand-over in reports: for the process that ends a detached task.
	Token string

	say        func(*orchestratorv1.TaskReport)
	mu         sync.Mutex
	checkpoint []byte
}

// TraceContext returns traceparent and tracestate as headers for calls that the handler makes; nil without a trace.
func (t *Task) TraceContext() map[string]string {
	if t.Traceparent == "" {
		return nil
	}
	fields := map[string]string{"traceparent": t.Traceparent}
	if t.Tracestate != "" {
		fields["tracestate"] = t.Tracestate
	}
	return fields
}

// Heartbeat tells the service that the task is alive. The worker does so on its own while the handler runs.
func (t *Task) Heartbeat() {
	t.say(&orchestratorv1.TaskReport{Event: &orchestratorv1.TaskReport_Alive{Alive: &orchestratorv1.TaskAlive{}}})
}

// Progress is how far a task is: a fraction from 0 to 1, or steps.
type Progress struct {
	Fraction *float64
	Current  *int32
	Total    *int32
	Message  string
}

// Progress shows those who watch the run how far the task is. Too much of it is dropped.
func (t *Task) Progress(progress Progress) {
	progressed := &orchestratorv1.TaskProgressed{
		Fraction: progress.Fraction, Current: progress.Current, Total: progress.Total, Message: cut(progress.Message, maxProgress),
	}
	if progress.Fraction != nil {
		bounded := min(max(0, *progress.Fraction), 1)
		progressed.Fraction = &bounded
	}
	t.say(&orchestratorv1.TaskReport{Event: &orchestratorv1.TaskReport_Progress{Progress: progressed}})
}

// Logf shows those who watch the run a line. Too many are dropped.
func (t *Task) Logf(format string, args ...any) {
	logged := &orchestratorv1.TaskLogged{Text: cut(fmt.Sprintf(format, args...), maxLine)}
	t.say(&orchestratorv1.TaskReport{Event: &orchestratorv1.TaskReport_Log{Log: logged}})
}

// Checkpoint saves what the next attempt needs to go on from here: JSON of at most 64 KB. The last one counts.
func (t *Task) Checkpoint(value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if len(text) > maxCheckpoint {
		return fmt.Errorf("a checkpoint has %d bytes, more than %d", len(text), maxCheckpoint)
	}
	t.mu.Lock()
	t.checkpoint = text
	t.mu.Unlock()
	checkpointed := &orchestratorv1.TaskCheckpointed{CheckpointJson: text}
	t.say(&orchestratorv1.TaskReport{Event: &orchestratorv1.TaskReport_Checkpoint{Checkpoint: checkpointed}})
	return nil
}

// LastCheckpoint reads what Checkpoint saved last, in this attempt or before it, into value. It returns false when nothing was.
func (t *Task) LastCheckpoint(value any) (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.checkpoint) == 0 {
		return false, nil
	}
	return true, json.Unmarshal(t.checkpoint, value)
}

// Detach frees the slot: the work goes on elsewhere, and the holder of the token reports its end. What the handler returns is ignored.
func (t *Task) Detach() {
	t.say(&orchestratorv1.TaskReport{Event: &orchestratorv1.TaskReport_Detached{Detached: &orchestratorv1.TaskDetached{}}})
}

type taskKey struct{}

// TaskOf returns the task of the handler that was given ctx; nil for any other context.
func TaskOf(ctx context.Context) *Task {
	task, _ := ctx.Value(taskKey{}).(*Task)
	return task
}
