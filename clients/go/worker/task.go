package worker

import (
	"context"
	"errors"
	"sync"
	"time"

	orchestratorv1 "orchestrator.internal/client/v1"
)

// Why the context of a handler ends, as [context.Cause] gives it. ErrTimeout also ends the contexts of [context.WithTimeout] below.
var (
	ErrCanceled = errors.New("the task is canceled")
	ErrOutdated = errors.New("the task is no longer this worker's")
	ErrTimeout  = errors.New("the handler took too long")
	ErrStopping = errors.New("the worker stops")
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

	heartbeat func()
}

// Heartbeat tells the service that the task is alive. The worker does so on its own while the handler runs.
func (t *Task) Heartbeat() { t.heartbeat() }

type taskKey struct{}

// TaskOf returns the task of the handler that was given ctx; nil for any other context.
func TaskOf(ctx context.Context) *Task {
	task, _ := ctx.Value(taskKey{}).(*Task)
	return task
}

// heldTask is a task that the worker holds.
//
//	received → acknowledged → handler ended → reported → answered: no longer held
//
// Of what there is to say about a task, only the last word waits to be sent: a result replaces the acknowledgement before it, and
// nothing replaces a result.
type heldTask struct {
	message *orchestratorv1.WorkerTask
	ctx     context.Context
	abort   context.CancelCauseFunc
	free    func()

	mu sync.Mutex
	// next waits to be sent.
	next  *orchestratorv1.TaskReport
	ended bool
	say   func(*heldTask)
}

func newHeldTask(message *orchestratorv1.WorkerTask, say func(*heldTask)) *heldTask {
	held := &heldTask{message: message, say: say}
	task := &Task{
		RunID:          message.GetRunId(),
		ID:             message.GetTaskId(),
		FlowID:         message.GetFlowId(),
		Queue:          message.GetQueue(),
		Handler:        message.GetHandler(),
		Attempt:        int(message.GetAttempt()),
		IdempotencyKey: message.GetIdempotencyKey(),
		FencingToken:   int(message.GetFencingToken()),
		CorrelationID:  message.GetCorrelationId(),
		heartbeat:      held.beat,
	}
	ctx, abort := context.WithCancelCause(context.WithValue(context.Background(), taskKey{}, task))
	held.ctx, held.abort, held.free = ctx, abort, func() {}
	if timeout := message.GetTimeout(); timeout != nil {
		held.ctx, held.free = context.WithTimeoutCause(ctx, timeout.AsDuration(), ErrTimeout)
	}
	return held
}

// report says something about the task, unless its end has been said. isLast ends it.
func (h *heldTask) report(report *orchestratorv1.TaskReport, isLast bool) {
	h.mu.Lock()
	if h.ended {
		h.mu.Unlock()
		return
	}
	report.TaskToken = h.message.GetTaskToken()
	h.next, h.ended = report, isLast
	h.mu.Unlock()
	h.say(h)
}

// beat says that the task is alive. An acknowledgement is a sign of life too.
func (h *heldTask) beat() {
	h.mu.Lock()
	isSaid := h.next != nil
	h.mu.Unlock()
	if !isSaid {
		h.report(&orchestratorv1.TaskReport{Event: &orchestratorv1.TaskReport_Alive{Alive: &orchestratorv1.TaskAlive{}}}, false)
	}
}

// take returns what waits to be sent; nil when there is nothing.
func (h *heldTask) take() *orchestratorv1.TaskReport {
	h.mu.Lock()
	defer h.mu.Unlock()
	report := h.next
	h.next = nil
	return report
}

// again puts a report back, unless there is a newer word.
func (h *heldTask) again(report *orchestratorv1.TaskReport) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.next == nil {
		h.next = report
	}
}

// drop says that nothing more is said.
func (h *heldTask) drop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = true
}

// beatWhile reports signs of life as often as the task asks for, until done is closed.
func (h *heldTask) beatWhile(done <-chan struct{}) {
	timeout := h.message.GetHeartbeatTimeout()
	if timeout == nil {
		return
	}
	ticker := time.NewTicker(max(10*time.Millisecond, timeout.AsDuration()/3))
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			h.beat()
		}
	}
}
