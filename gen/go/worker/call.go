package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"

	orchestratorv1 "orchestrator.internal/client/v1"
)

// handler does tasks of one name, from JSON to JSON.
type handler func(ctx context.Context, input []byte) ([]byte, error)

// encodeHandler makes a handler of a function with types of its own.
func encodeHandler[In, Out any](function func(context.Context, In) (Out, error)) handler {
	return func(ctx context.Context, text []byte) ([]byte, error) {
		var input In
		if len(text) > 0 {
			if err := json.Unmarshal(text, &input); err != nil {
				return nil, NonRetryable("INPUT_INVALID", "the input does not fit the handler: "+err.Error())
			}
		}
		output, err := function(ctx, input)
		if err != nil {
			return nil, err
		}
		encoded, err := json.Marshal(output)
		if err != nil {
			return nil, NonRetryable("OUTPUT_INVALID", "the handler returned what is not JSON: "+err.Error())
		}
		return encoded, nil
	}
}

// call calls the handler of a task and returns what to report about it.
func (h *heldTask) call(handle handler, maxOutputBytes int64) (report *orchestratorv1.TaskReport) {
	done := make(chan struct{})
	defer close(done)
	go h.beatWhile(done)
	defer h.free()
	defer func() {
		if problem := recover(); problem != nil {
			report = h.failure(fmt.Errorf("panic: %v\n%s", problem, debug.Stack()))
		}
	}()
	output, err := handle(h.ctx, h.message.GetInputJson())
	if err == nil && int64(len(output)) > maxOutputBytes {
		problem := fmt.Sprintf("the output has %d bytes of JSON, more than %d", len(output), maxOutputBytes)
		err = NonRetryable("OUTPUT_TOO_LARGE", problem)
	}
	if err != nil {
		return h.failure(err)
	}
	succeeded := &orchestratorv1.TaskSucceeded{OutputValue: &orchestratorv1.TaskSucceeded_OutputJson{OutputJson: output}}
	return &orchestratorv1.TaskReport{Event: &orchestratorv1.TaskReport_Succeeded{Succeeded: succeeded}}
}

// failure is the report of an error. After an abort, only an error with a type of its own is news.
func (h *heldTask) failure(err error) *orchestratorv1.TaskReport {
	var typed *Error
	if !errors.As(err, &typed) {
		switch context.Cause(h.ctx) {
		case ErrCanceled:
			return &orchestratorv1.TaskReport{Event: &orchestratorv1.TaskReport_Stopped{Stopped: &orchestratorv1.TaskStopped{}}}
		case ErrStopping:
			return handedBack("the worker stopped before the handler ended")
		case ErrTimeout:
			err = &Error{Type: "TIMEOUT", Message: ErrTimeout.Error()}
		}
	}
	return failed(err)
}

func failed(err error) *orchestratorv1.TaskReport {
	return &orchestratorv1.TaskReport{Event: &orchestratorv1.TaskReport_Failed{Failed: toErrored(err)}}
}

// handedBack is the report that the task goes to another worker, with the same attempt.
func handedBack(reason string) *orchestratorv1.TaskReport {
	return &orchestratorv1.TaskReport{
		Event: &orchestratorv1.TaskReport_HandedBack{HandedBack: &orchestratorv1.TaskHandedBack{Reason: reason}},
	}
}
