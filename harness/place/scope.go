package place

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"
)

// Where systemd runs the machine, cgroups are its own: the container's is a delegated scope that it makes on request.
// A scope needs a process from the beginning; a placeholder holds it until systemd-nspawn has been started in it.

// placeholder is a cat(1) that waits for its input to end, which also happens when this process dies.
type placeholder struct {
	cmd   *exec.Cmd
	input io.Closer
}

func newPlaceholder() (*placeholder, error) {
	cmd := exec.Command("cat")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, input.Close())
	}
	return &placeholder{cmd, input}, nil
}

// release lets the process end. Its own exit status means nothing.
func (h *placeholder) release() {
	_ = h.input.Close()
	_ = h.cmd.Wait()
}

// managerSocket is where PID 1 itself listens for root, so that a scope can be made before D-Bus is up.
const managerSocket = "/run/systemd/private"

func dialManager(ctx context.Context) (*dbus.Conn, error) {
	conn, err := dbus.Dial("unix:path="+managerSocket, dbus.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("connect to the machine's systemd: %w", err)
	}
	if err := conn.Auth([]dbus.Auth{dbus.AuthExternal("0")}); err != nil {
		return nil, errors.Join(fmt.Errorf("connect to the machine's systemd: %w", err), conn.Close())
	}
	return conn, nil
}

// newScope has systemd make the scope name.scope and returns its directory in the cgroup2 tree mounted at unified.
func newScope(ctx context.Context, unified, name string) (dir string, hold *placeholder, err error) {
	conn, err := dialManager(ctx)
	if err != nil {
		return "", nil, err
	}
	defer conn.Close()
	if hold, err = newPlaceholder(); err != nil {
		return "", nil, err
	}
	path, err := startScope(ctx, conn, name+".scope", hold.cmd.Process.Pid)
	if err != nil {
		hold.release()
		return "", nil, fmt.Errorf("make %s.scope: %w", name, err)
	}
	return filepath.Join(unified, path), hold, nil
}

// startScope returns the ControlGroup of the new scope once its process is in there.
func startScope(ctx context.Context, conn *dbus.Conn, scope string, pid int) (string, error) {
	settings := []setting{
		{"Description", dbus.MakeVariant("Place for the trials of temper")},
		{"Slice", dbus.MakeVariant("machine.slice")},
		{"Delegate", dbus.MakeVariant(true)},
		{"TasksMax", dbus.MakeVariant(^uint64(0))},
		{"CollectMode", dbus.MakeVariant("inactive-or-failed")},
		{"PIDs", dbus.MakeVariant([]uint32{uint32(pid)})},
	}
	call := manager(conn).CallWithContext(ctx, managerInterface+".StartTransientUnit", 0, scope, "fail", settings, []auxiliary{})
	if call.Err != nil {
		return "", call.Err
	}
	for {
		obj, err := unitObject(ctx, conn, scope)
		if err != nil {
			return "", err
		}
		var state, path string
		if err := property(ctx, obj, unitInterface, "ActiveState", &state); err != nil {
			return "", err
		}
		if state == "active" {
			err := property(ctx, obj, managerName+".Scope", "ControlGroup", &path)
			return path, err
		}
		select {
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-time.After(pollEvery):
		}
	}
}

// stopScope has systemd end the scope whose cgroup is dir, and waits until it has removed that: of a cgroup that somebody
// else removes systemd may not see the end, and would keep its scope for good.
func stopScope(ctx context.Context, dir string) error {
	if _, err := os.Lstat(dir); err != nil {
		return nil
	}
	conn, err := dialManager(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := stopUnit(ctx, conn, filepath.Base(dir)); err != nil {
		return err
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for end := time.After(scopeWithin); ; {
		if _, err := os.Lstat(dir); err != nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-end:
			return nil // what it has left is removed by hand
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

const scopeWithin = 2 * time.Second
