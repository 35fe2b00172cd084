// A worker for the flow in order.yaml. ORCHESTRATOR_SERVER: host and port of the service.
package main

import (
	"context"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"orchestrator.internal/client/worker"
)

type order struct {
	Items []struct {
		Price float64 `json:"price"`
		Count float64 `json:"count"`
	} `json:"items"`
}

type priced struct {
	Total float64 `json:"total"`
}

type payment struct {
	Card   string  `json:"card"`
	Amount float64 `json:"amount"`
}

type charged struct {
	Receipt string `json:"receipt"`
}

func price(_ context.Context, in order) (priced, error) {
	var total float64
	for _, item := range in.Items {
		total += item.Price * item.Count
	}
	return priced{total}, nil
}

func charge(ctx context.Context, in payment) (charged, error) {
	task := worker.TaskOf(ctx)
	if strings.HasPrefix(in.Card, "0") {
		return charged{}, worker.NonRetryable("CARD_DECLINED", "the bank declines this card")
	}
	// The bank is away at first. The retry policy of the flow tries again; this error says when.
	if task.Attempt == 1 {
		return charged{}, &worker.Error{Type: "BANK_AWAY", Message: "the bank does not answer", NextRetryDelay: 100 * time.Millisecond}
	}
	// Every attempt has the same key, so the bank charges the card once.
	return charged{task.IdempotencyKey}, nil
}

func main() {
	w := worker.New(worker.Options{Address: os.Getenv("ORCHESTRATOR_SERVER"), Queues: []string{"orders"}, Slots: 20})
	worker.Handle(w, "price", price)
	worker.Handle(w, "charge", charge)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := w.Run(ctx); err != nil {
		log.Fatal(err)
	}
}
