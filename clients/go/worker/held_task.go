package worker

import (
	"context"
	"reflect"
	"slices"
	"sync"
	"time"

	orchestratorv1 "orchestrator.internal/client/v1"
)

// maxLines is how many lines of a task the service takes at once.
const maxLines = 50

// heldTask is a task that the worker holds.
//
//	received → acknowledged → handler ended → reported → answered: no longer held
//
// What is said about a task waits to be sent together. A new word replaces the one before it of the same kind, and any word is a sign
// of life: a handler that ends at once is one report. Nothing is said after the end.
type heldTask struct {
	message *orchestratorv1.WorkerTask
	ctx     context.Context
	abort   context.CancelCauseFunc
	free    func()

	mu sync.Mutex
	// waiting is to be sent, in order.
	waiting []*orchestratorv1.TaskReport
	ended   bool
	say     func(*heldTask)
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
		Traceparent:    message.GetTraceparent(),
		Tracestate:     message.GetTracestate(),
		Token:          message.GetTaskToken(),
		say:            held.report,
		checkpoint:     message.GetCheckpointJson(),
	}
	ctx, abort := context.WithCancelCause(context.WithValue(context.Background(), taskKey{}, task))
	held.ctx, held.abort, held.free = ctx, abort, func() {}
	if timeout := message.GetTimeout(); timeout != nil {
		held.ctx, held.free = context.WithTimeoutCause(ctx, timeout.AsDuration(), ErrTimeout)
	}
	return held
}

// report says something about the task, unless its end has been said.
func (h *heldTask) report(report *orchestratorv1.TaskReport) {
	h.mu.Lock()
	if h.ended {
		h.mu.Unlock()
		return
	}
	report.TaskToken = h.message.GetTaskToken()
	h.keep(report)
	h.ended = isEnd(report)
	h.mu.Unlock()
	h.say(h)
}

func (h *heldTask) keep(report *orchestratorv1.TaskReport) {
	isLine := report.GetLog() != nil
	if len(h.waiting) > 0 && (report.GetAlive() != nil || (isLine && len(h.waiting) >= maxLines)) {
		return
	}
	h.waiting = slices.DeleteFunc(h.waiting, func(one *orchestratorv1.TaskReport) bool {
		return isSign(one) || (isSame(one, report) && !isLine)
	})
	h.waiting = append(h.waiting, report)
}

// beat says that the task is alive.
func (h *heldTask) beat() {
	h.report(&orchestratorv1.TaskReport{Event: &orchestratorv1.TaskReport_Alive{Alive: &orchestratorv1.TaskAlive{}}})
}

// take returns the first most of what waits to be sent, and whether more waits.
func (h *heldTask) take(most int) (reports []*orchestratorv1.TaskReport, isMore bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	count := min(most, len(h.waiting))
	reports, h.waiting = h.waiting[:count:count], slices.Clone(h.waiting[count:])
	return reports, len(h.waiting) > 0
}

// again puts a report back, before what was said since. What is for watchers only is lost, and a newer word stands.
func (h *heldTask) again(report *orchestratorv1.TaskReport) {
	h.mu.Lock()
	defer h.mu.Unlock()
	isNewer := slices.ContainsFunc(h.waiting, func(one *orchestratorv1.TaskReport) bool { return isSame(one, report) })
	isEphemeral := report.GetProgress() != nil || report.GetLog() != nil
	if isNewer || isEphemeral || (isSign(report) && len(h.waiting) > 0) {
		return
	}
	h.waiting = slices.Insert(h.waiting, 0, report)
}

// isSign: the report only says that the task is alive, as any other does.
func isSign(report *orchestratorv1.TaskReport) bool {
	return report.GetAlive() != nil || report.GetAcknowledged() != nil
}

// isEnd: nothing can be said about a task after the report.
func isEnd(report *orchestratorv1.TaskReport) bool {
	switch report.GetEvent().(type) {
	case *orchestratorv1.TaskReport_Succeeded, *orchestratorv1.TaskReport_Failed, *orchestratorv1.TaskReport_Stopped,
		*orchestratorv1.TaskReport_HandedBack, *orchestratorv1.TaskReport_Detached:
		return true
	}
	return false
}

func isSame(a, b *orchestratorv1.TaskReport) bool {
	return reflect.TypeOf(a.GetEvent()) == reflect.TypeOf(b.GetEvent())
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
