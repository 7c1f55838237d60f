package check

import (
	"context"
	"fmt"
	"time"

	"temper/harness/place"
	"temper/profiles"
)

// probeExec runs a command in the place, outside the sandbox of the service, with the variables of Env.Environ.
func probeExec(c profiles.ExecCheck) probe {
	return func(ctx context.Context, env Env) (string, error) {
		result, err := run(ctx, env, place.Command{Args: c.Command, User: c.User, Stdin: c.Stdin, Env: env.Environ})
		if err != nil {
			return "", err
		}
		switch {
		case result.Status == c.Status:
		case result.Status == profiles.NotRun:
			return "", notRun{fmt.Errorf("says that it cannot run (exit status %d%s)", result.Status, said(result))}
		case result.Status == commandNotFound:
			return "", final{fmt.Errorf("want exit status %d, got %d%s", c.Status, result.Status, said(result))}
		default:
			return "", fmt.Errorf("want exit status %d, got %d%s", c.Status, result.Status, said(result))
		}
		if err := want("output", c.Stdout, result.Stdout); err != nil {
			return "", err
		}
		return fmt.Sprintf("exit status %d%s", result.Status, said(result)), nil
	}
}

// commandNotFound is the exit status of a shell whose command does not exist.
const commandNotFound = 127

// run runs a command in the place, at most until the deadline of ctx.
func run(ctx context.Context, env Env, c place.Command) (place.Result, error) {
	if deadline, ok := ctx.Deadline(); ok {
		c.Timeout = time.Until(deadline)
	}
	return env.Place.Run(ctx, c)
}

// said quotes the end of what a command wrote to stderr, or else to stdout.
func said(r place.Result) string {
	text := r.Stderr
	if text == "" {
		text = r.Stdout
	}
	if text == "" {
		return ""
	}
	return ": " + quotedEnd(text)
}
