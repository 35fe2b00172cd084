// The Go worker of the demo in examples/workers/demo. ORCHESTRATOR_SERVER: host and port of the service.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"orchestrator.internal/client/worker"
)

type input struct {
	Photo int `json:"photo"`
}

type output struct {
	By string `json:"by"`
}

// develop takes a while.
func develop(ctx context.Context, in input) (output, error) {
	fmt.Printf("begins photo %d\n", in.Photo)
	select {
	case <-ctx.Done():
		return output{}, context.Cause(ctx)
	case <-time.After(600 * time.Millisecond):
		return output{By: "Go"}, nil
	}
}

func main() {
	w := worker.New(worker.Options{
		Address: os.Getenv("ORCHESTRATOR_SERVER"),
		Name:    "Go",
		Queues:  []string{"photos"},
		Slots:   3,
		Log:     func(string, ...any) {},
	})
	worker.Handle(w, "develop", develop)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := w.Run(ctx); err != nil {
		log.Fatal(err)
	}
}
