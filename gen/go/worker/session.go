package worker

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	orchestratorv1 "orchestrator.internal/client/v1"
)

// report makes the call of the outbox. closing says goodbye.
func (w *Worker) report(
	ctx context.Context, reports []*orchestratorv1.TaskReport, closing bool,
) ([]*orchestratorv1.TaskReportResult, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	w.mu.Lock()
	request := &orchestratorv1.ReportTasksRequest{SessionId: w.session.GetSessionId(), Reports: reports, Closing: closing}
	w.mu.Unlock()
	response, err := w.client.ReportTasks(ctx, request)
	return response.GetResults(), err
}

// answered takes the answer to a report.
func (w *Worker) answered(one said, result *orchestratorv1.TaskReportResult) {
	isOver := false
	switch result.GetOutcome() {
	case orchestratorv1.TaskReportOutcome_TASK_REPORT_OUTCOME_CANCEL_REQUESTED:
		one.held.abort(ErrCanceled)
	case orchestratorv1.TaskReportOutcome_TASK_REPORT_OUTCOME_REFUSED:
		w.options.Log("a report about %s was refused: %s", one.held.message.GetTaskId(), result.GetMessage())
	case orchestratorv1.TaskReportOutcome_TASK_REPORT_OUTCOME_OUTDATED,
		orchestratorv1.TaskReportOutcome_TASK_REPORT_OUTCOME_UNKNOWN,
		orchestratorv1.TaskReportOutcome_TASK_REPORT_OUTCOME_ALREADY_REPORTED:
		isOver = true
		one.held.abort(ErrOutdated)
		one.held.drop()
	}
	if !isOver && !isEnd(one.report) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.held, one.report.GetTaskToken())
	if len(w.held) == 0 {
		select {
		case w.idle <- struct{}{}:
		default:
		}
	}
}

// beat keeps the session alive.
func (w *Worker) beat(ctx context.Context) {
	for ctx.Err() == nil {
		w.mu.Lock()
		timeout := w.session.GetSessionTimeout().AsDuration()
		w.mu.Unlock()
		if timeout == 0 {
			timeout = time.Second
		}
		sleep(ctx, timeout/3)
		if ctx.Err() != nil || !w.hasSession() {
			continue
		}
		w.sayAlive()
		if _, err := w.report(ctx, nil, false); status.Code(err) == codes.NotFound {
			w.endSession()
			w.endPoll()
		}
	}
}

// sayAlive says of everything that it is alive: the owner of a run may be another one now, and knows nothing yet.
func (w *Worker) sayAlive() {
	for _, held := range w.holding() {
		held.beat()
	}
}

func (w *Worker) hasSession() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.isRegistered
}

func (w *Worker) endSession() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.isRegistered = false
}

func (w *Worker) endPoll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closePoll != nil {
		w.closePoll()
	}
}

func (w *Worker) find(token string) *heldTask {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.held[token]
}

func (w *Worker) holding() []*heldTask {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make([]*heldTask, 0, len(w.held))
	for _, held := range w.held {
		all = append(all, held)
	}
	return all
}

// untilIdle waits until nothing is held, or the time is up.
func (w *Worker) untilIdle(timeout time.Duration) {
	late := time.After(timeout)
	for len(w.holding()) > 0 {
		select {
		case <-w.idle:
		case <-late:
			return
		}
	}
}
