package worker

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	orchestratorv1 "orchestrator.internal/client/v1"
)

const (
	// maxBatchBytes: more goes with the next call.
	maxBatchBytes = 1 << 20
	maxPause      = 2 * time.Second
)

type said struct {
	held   *heldTask
	report *orchestratorv1.TaskReport
}

// outbox is what the worker has to say, in as few calls as possible: one call is under way, and what comes meanwhile goes with the
// next. A report is repeated until the service has answered it.
type outbox struct {
	send     func(context.Context, []*orchestratorv1.TaskReport) ([]*orchestratorv1.TaskReportResult, error)
	answered func(said, *orchestratorv1.TaskReportResult)
	log      func(format string, args ...any)
	// maxReports in a call; set before the first task.
	maxReports int

	mu       sync.Mutex
	waiting  []*heldTask
	isQueued map[*heldTask]bool
	wake     chan struct{}
	failures int
	// singly: a call was refused for one of its reports, and so many go one by one.
	singly int
}

// add says that something about the task waits to be sent.
func (o *outbox) add(held *heldTask) {
	o.mu.Lock()
	if !o.isQueued[held] {
		o.isQueued[held] = true
		o.waiting = append(o.waiting, held)
	}
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// run sends until the context ends.
func (o *outbox) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-o.wake:
		}
		for batch := o.take(); len(batch) > 0 && ctx.Err() == nil; batch = o.take() {
			o.sendBatch(ctx, batch)
			if o.failures > 0 {
				sleep(ctx, jitter(o.failures, maxPause))
			}
		}
	}
}

func (o *outbox) sendBatch(ctx context.Context, batch []said) {
	reports := make([]*orchestratorv1.TaskReport, len(batch))
	for i, one := range batch {
		reports[i] = one.report
	}
	results, err := o.send(ctx, reports)
	isRefused := status.Code(err) == codes.InvalidArgument
	switch {
	case err == nil && len(results) == len(batch):
		o.settle(batch, results)
	case isRefused && len(batch) == 1:
		o.refused(batch[0], status.Convert(err).Message())
	default:
		if isRefused {
			o.singly = len(batch)
		} else {
			o.failures++
		}
		o.again(batch)
	}
}

func (o *outbox) take() []said {
	o.mu.Lock()
	defer o.mu.Unlock()
	most, size, taken := o.maxReports, 0, 0
	if o.singly > 0 {
		most = 1
	}
	var batch []said
	for _, held := range o.waiting {
		if len(batch) >= most || size > maxBatchBytes {
			break
		}
		reports, isMore := held.take(most - len(batch))
		for _, report := range reports {
			size += proto.Size(report)
			batch = append(batch, said{held, report})
		}
		if isMore {
			break
		}
		taken++
		delete(o.isQueued, held)
	}
	o.waiting = append([]*heldTask(nil), o.waiting[taken:]...)
	return batch
}

func (o *outbox) settle(batch []said, results []*orchestratorv1.TaskReportResult) {
	o.singly = max(0, o.singly-1)
	var unavailable []said
	for i, one := range batch {
		if results[i].GetOutcome() == orchestratorv1.TaskReportOutcome_TASK_REPORT_OUTCOME_UNAVAILABLE {
			unavailable = append(unavailable, one)
		} else {
			o.answered(one, results[i])
		}
	}
	o.again(unavailable)
	if len(unavailable) > 0 {
		o.failures++
	} else {
		o.failures = 0
	}
}

// again puts reports back, the last one first: each goes before what was said after it.
func (o *outbox) again(batch []said) {
	for _, one := range slices.Backward(batch) {
		one.held.again(one.report)
		o.add(one.held)
	}
}

// refused: a result or an error that the service does not take fails its task with another one, which says so.
func (o *outbox) refused(one said, problem string) {
	message := one.held.message
	o.log("the service refused a report about %s of run %s: %s", message.GetTaskId(), message.GetRunId(), problem)
	if one.report.GetFailed().GetType() == reportRefused {
		unknown := orchestratorv1.TaskReportOutcome_TASK_REPORT_OUTCOME_UNKNOWN
		o.answered(one, &orchestratorv1.TaskReportResult{Outcome: unknown, Message: problem})
		return
	}
	if isEnd(one.report) {
		report := failed(NonRetryable(reportRefused, problem))
		report.TaskToken = one.report.GetTaskToken()
		o.again([]said{{one.held, report}})
	}
}

// jitter is a random delay that doubles with every failure, from 50 ms up to most.
func jitter(failures int, most time.Duration) time.Duration {
	delay := min(most, 50*time.Millisecond<<min(failures, 10))
	return delay/2 + time.Duration(rand.Int64N(int64(delay/2)))
}

// sleep waits; the end of the context ends it.
func sleep(ctx context.Context, delay time.Duration) {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
