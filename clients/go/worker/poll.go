package worker

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	orchestratorv1 "orchestrator.internal/client/v1"
)

const (
	sdk         = "go/0.1.0"
	callTimeout = 10 * time.Second
	// farewell is how long a stopping worker listens for tasks that it hands back.
	farewell = 200 * time.Millisecond
)

// takeTasks polls until the context ends, over as many streams and sessions as that takes.
func (w *Worker) takeTasks(ctx context.Context) error {
	stopListening := context.AfterFunc(ctx, func() {
		w.stopping.Store(true)
		// What is on its way is handed back, and what is here acknowledged, before the stream closes: neither counts as lost.
		time.AfterFunc(farewell, w.endPoll)
	})
	defer stopListening()
	for failures := 1; ctx.Err() == nil; failures++ {
		err := w.register(ctx)
		if err == nil {
			var received bool
			received, err = w.poll()
			if received {
				failures = 0
			}
		}
		if ctx.Err() != nil {
			break
		}
		if err := w.lost(err); err != nil {
			return err
		}
		sleep(ctx, jitter(failures, maxPause))
	}
	return nil
}

// register opens a session, unless there is one.
func (w *Worker) register(ctx context.Context) error {
	if w.hasSession() {
		return nil
	}
	names := make([]string, 0, len(w.handlers))
	for name := range w.handlers {
		names = append(names, name)
	}
	ctx, cancel := context.WithTimeout(w.authorized(ctx), callTimeout)
	defer cancel()
	session, err := w.client.RegisterWorker(ctx, &orchestratorv1.RegisterWorkerRequest{
		Name: w.options.Name, Queues: w.options.Queues, Handlers: names, Slots: int32(w.options.Slots), Sdk: sdk,
		Labels: w.options.Labels, BuildId: w.options.BuildID,
	})
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.session, w.isRegistered = session, true
	w.mu.Unlock()
	w.outbox.mu.Lock()
	w.outbox.maxReports = int(session.GetMaxReports())
	w.outbox.mu.Unlock()
	w.options.Log("connected, with %d slots for %v", w.options.Slots, names)
	return nil
}

func (w *Worker) poll() (received bool, err error) {
	ctx, cancel := context.WithCancel(w.authorized(context.Background()))
	defer cancel()
	w.mu.Lock()
	w.closePoll = cancel
	request := &orchestratorv1.PollTasksRequest{SessionId: w.session.GetSessionId()}
	w.mu.Unlock()
	w.sayAlive()
	stream, err := w.client.PollTasks(ctx, request)
	if err != nil {
		return false, err
	}
	for {
		message, err := stream.Recv()
		if err != nil {
			return received, err
		}
		received, w.isAway = true, false
		if task := message.GetTask(); task != nil {
			w.begin(task)
		} else if cancellation := message.GetCancellation(); cancellation != nil {
			if held := w.find(cancellation.GetTaskToken()); held != nil {
				held.abort(ErrCanceled)
			}
		} else if drain := message.GetDrain(); drain != nil {
			w.options.Log("an operator drains this worker: %s", drain.GetReason())
			w.stop()
		}
	}
}

// lost takes note of a lost connection; it returns errors that no repetition cures.
func (w *Worker) lost(err error) error {
	code := status.Code(err)
	hasSession := w.hasSession()
	if hasSession && code == codes.NotFound {
		w.endSession()
	} else if !hasSession {
		switch code {
		case codes.InvalidArgument, codes.Unauthenticated, codes.PermissionDenied, codes.Unimplemented:
			return err
		}
	}
	if !w.isAway && code != codes.NotFound {
		w.options.Log("the service is away, trying again: %s", status.Convert(err).Message())
	}
	w.isAway = true
	return nil
}

func (w *Worker) begin(task *orchestratorv1.WorkerTask) {
	held := newHeldTask(task, w.outbox.add)
	w.mu.Lock()
	_, isHeld := w.held[task.GetTaskToken()]
	if !isHeld {
		w.held[task.GetTaskToken()] = held
	}
	maxOutputBytes := w.session.GetMaxOutputBytes()
	w.mu.Unlock()
	handle := w.handlers[task.GetHandler()]
	switch {
	case isHeld:
	case w.stopping.Load():
		held.report(handedBack("the worker stops"))
	case handle == nil:
		held.report(handedBack("there is no handler " + task.GetHandler()))
	default:
		acknowledged := &orchestratorv1.TaskReport_Acknowledged{Acknowledged: &orchestratorv1.TaskAcknowledged{}}
		held.report(&orchestratorv1.TaskReport{Event: acknowledged})
		go func() { held.report(held.call(handle, maxOutputBytes)) }()
	}
}
