package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The acts on files.

func write(dir string) error {
	return os.WriteFile(filepath.Join(dir, "trap.state"), []byte("state\n"), 0o644)
}

func keep(dir string) error { return errors.Join(os.MkdirAll(dir, 0o755), write(dir)) }

func put(arg string) error {
	file, text, _ := strings.Cut(arg, ":")
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

func mkdir(dir string) error {
	return errors.Join(os.Mkdir(dir, 0o755), os.Remove(dir))
}

// read reads a file, or lists a directory.
func read(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Readdirnames(-1); err == nil {
		return nil
	}
	_, err = io.ReadAll(f)
	return err
}

func open(file string) error {
	fd, err := unix.Open(file, unix.O_WRONLY|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func see(arg string) error {
	file, text, _ := strings.Cut(arg, ":")
	data, err := os.ReadFile(file)
	if err == nil && !bytes.Contains(data, []byte(text)) {
		err = fmt.Errorf("holds %q", data)
	}
	return err
}

func setuidbit(dir string) error {
	file := filepath.Join(dir, "trap.setuid")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return err
	}
	defer os.Remove(file)
	return unix.Chmod(file, 0o4700)
}

func chown(dir string) error {
	file := filepath.Join(dir, "trap.owner")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return err
	}
	defer os.Remove(file)
	return os.Chown(file, 1, 1)
}

func cwd(dir string) error {
	if got, err := os.Getwd(); err != nil || got != dir {
		return fmt.Errorf("is %s: %v", got, err)
	}
	return nil
}

func rename(name string) error {
	b := append([]byte(name), 0)
	return unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(&b[0])), 0, 0, 0)
}
