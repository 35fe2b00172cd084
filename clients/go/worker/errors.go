package worker

import (
	"encoding/json"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/durationpb"
	orchestratorv1 "orchestrator.internal/client/v1"
)

// HandlerFailed is the type of every error that is not an [Error].
const HandlerFailed = "HANDLER_FAILED"

// reportRefused is the type of the error that stands for a result or an error which the service refuses.
const reportRefused = "REPORT_REFUSED"

const (
	maxType    = 128
	maxMessage = 8_192
	maxDelay   = 365 * 24 * time.Hour
	maxDetails = 1_000_000
)

// Error fails a task with a type of its own, which retry policies and flows match.
type Error struct {
	// Type is stable: "CARD_DECLINED".
	Type string
	// Message is for people.
	Message string
	// NonRetryable says that another attempt would fail the same way; then there is none.
	NonRetryable bool
	// NextRetryDelay before the next attempt overrides the retry policy of the task, if it is above 0.
	NextRetryDelay time.Duration
	// Details are more for flows, as tasks.<id>.error.details: anything that JSON can say; nil: nothing.
	Details any
}

// Error returns type and message.
func (e *Error) Error() string { return e.Type + ": " + e.Message }

// NonRetryable is the error of a task for which there is no further attempt.
func NonRetryable(errorType, message string) error {
	return &Error{Type: errorType, Message: message, NonRetryable: true}
}

// toErrored is the error of a handler as the service takes it: texts are cut to size.
func toErrored(err error) *orchestratorv1.TaskErrored {
	var typed *Error
	if !errors.As(err, &typed) {
		return &orchestratorv1.TaskErrored{Type: HandlerFailed, Message: cut(err.Error(), maxMessage)}
	}
	errored := &orchestratorv1.TaskErrored{
		Type:         cut(strings.ReplaceAll(typed.Type, "\x00", ""), maxType),
		Message:      cut(typed.Message, maxMessage),
		NonRetryable: typed.NonRetryable,
	}
	if errored.Type == "" {
		errored.Type = HandlerFailed
	}
	if typed.NextRetryDelay > 0 {
		errored.NextRetryDelay = durationpb.New(min(typed.NextRetryDelay, maxDelay))
	}
	// Details that are no JSON, or too large, are left out: the task must end all the same.
	if text, err := json.Marshal(typed.Details); typed.Details != nil && err == nil && len(text) <= maxDetails {
		errored.DetailsValue = &orchestratorv1.TaskErrored_DetailsJson{DetailsJson: text}
	}
	return errored
}

// cut returns at most size characters, without what Protobuf and the service refuse.
func cut(text string, size int) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\ufffd"), "\x00", "\ufffd")
	if utf8.RuneCountInString(text) <= size {
		return text
	}
	return string([]rune(text)[:size])
}
