// Package worker does the tasks of type "worker": it takes them from queues, calls a handler, and reports what became of them.
//
//	registered → polling → (stream lost → pause → polling, or registered again when the session is gone)
//	stopping: no new tasks → handlers may end → what still runs is aborted and handed back → stopped
package worker

import (
	"context"
	"fmt"
	"log"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	orchestratorv1 "orchestrator.internal/client/v1"
)

// abortGrace is how long aborted handlers have to end, and reports to be answered.
const abortGrace = 5 * time.Second

// Options of a worker; the zero value serves the queue "default" of a service on this machine.
type Options struct {
	// Address is host:port; localhost:8002 by default.
	Address string
	// DialOptions of the connection, such as TLS; without TLS by default.
	DialOptions []grpc.DialOption
	// Token is sent as "authorization: Bearer …".
	Token string
	// Name is for people; host and process by default.
	Name string
	// Queues to serve; "default" by default.
	Queues []string
	// Slots is how many tasks to do at the same time; 10 by default.
	Slots int
	// Labels are what this worker has that tasks may ask for.
	Labels map[string]string
	// BuildID is for queues that name the builds that they take.
	BuildID string
	// StopTimeout is how long a stop waits for handlers before it aborts them; 30 s by default.
	StopTimeout time.Duration
	// Log takes what is worth knowing, such as a lost connection; log.Printf by default.
	Log func(format string, args ...any)
}

// Worker takes tasks and does them. Make one with [New], register handlers with [Handle], and call [Worker.Run].
type Worker struct {
	options  Options
	handlers map[string]handler
	client   orchestratorv1.WorkerServiceClient
	outbox   *outbox
	stopping atomic.Bool
	stop     context.CancelFunc
	isAway   bool

	mu           sync.Mutex
	session      *orchestratorv1.RegisterWorkerResponse
	isRegistered bool
	closePoll    context.CancelFunc
	held         map[string]*heldTask
	idle         chan struct{}
}

// New makes a worker; it connects with [Worker.Run].
func New(options Options) *Worker {
	if options.Address == "" {
		options.Address = "localhost:8002"
	}
	if options.Name == "" {
		host, _ := os.Hostname()
		options.Name = fmt.Sprintf("%.100s/%d", host, os.Getpid())
	}
	if options.Slots == 0 {
		options.Slots = 10
	}
	if options.StopTimeout == 0 {
		options.StopTimeout = 30 * time.Second
	}
	if options.Log == nil {
		options.Log = func(format string, args ...any) { log.Printf("worker: "+format, args...) }
	}
	return &Worker{options: options, handlers: map[string]handler{}, held: map[string]*heldTask{}, idle: make(chan struct{}, 1)}
}

// Handle registers a handler; before [Worker.Run]. Input and output are JSON. The context ends when the result is no longer wanted:
// the task was canceled or timed out, or the worker stops.
func Handle[In, Out any](w *Worker, name string, function func(context.Context, In) (Out, error)) {
	w.handlers[name] = encodeHandler(function)
}

// Run works until the context ends, then stops: it takes no new tasks, waits for its handlers, and hands back what they do not
// finish. It returns an error when the service refuses to register the worker; a service that is away is waited for.
func (w *Worker) Run(ctx context.Context) error {
	connection, err := w.dial()
	if err != nil {
		return err
	}
	defer connection.Close()
	w.client = orchestratorv1.NewWorkerServiceClient(connection)
	w.outbox = &outbox{
		send: func(ctx context.Context, reports []*orchestratorv1.TaskReport) ([]*orchestratorv1.TaskReportResult, error) {
			return w.report(ctx, reports, false)
		},
		answered: w.answered, log: w.options.Log,
		maxReports: 1, isQueued: map[*heldTask]bool{}, wake: make(chan struct{}, 1),
	}
	ctx, w.stop = context.WithCancel(ctx)
	defer w.stop()
	inner, end := context.WithCancel(w.authorized(context.Background()))
	var helpers sync.WaitGroup
	helpers.Go(func() { w.outbox.run(inner) })
	helpers.Go(func() { w.beat(inner) })
	defer helpers.Wait()
	defer end()
	if err := w.takeTasks(ctx); err != nil {
		return err
	}
	w.untilIdle(w.options.StopTimeout)
	for _, held := range w.holding() {
		held.abort(ErrStopping)
	}
	w.untilIdle(abortGrace)
	if w.hasSession() {
		// Goodbye. Without it the service waits for the session to time out.
		_, _ = w.report(inner, nil, true)
	}
	return nil
}

func (w *Worker) dial() (*grpc.ClientConn, error) {
	pauses := backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: maxPause}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: pauses, MinConnectTimeout: 5 * time.Second}),
		// A connection that died without a word is noticed.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 20 * time.Second, Timeout: 10 * time.Second}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64 << 20)),
	}
	return grpc.NewClient(w.options.Address, append(options, w.options.DialOptions...)...)
}

func (w *Worker) authorized(ctx context.Context) context.Context {
	if w.options.Token == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+w.options.Token)
}
