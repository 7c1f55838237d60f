package nspawn

import (
	"fmt"
	"os"

	"temper/internal/hint"
	"temper/internal/host"
)

// busSockets and busPrograms are where D-Bus is in a root, dbus-broker included.
var (
	busSockets = []string{
		"/usr/lib/systemd/system/dbus.socket", "/lib/systemd/system/dbus.socket", "/etc/systemd/system/dbus.socket",
	}
	busPrograms = []string{"/usr/bin/dbus-daemon", "/usr/bin/dbus-broker-launch", "/bin/dbus-daemon"}
)

// Installed returns an error that wraps [ErrUnavailable] where this machine lacks a program that boots containers.
func Installed() error {
	_, err := findPrograms()
	return err
}

// Check returns an error where this machine has no systemd-nspawn or a root directory lacks what it needs to be booted.
func Check(path string) error {
	if err := Installed(); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return hint.With(fmt.Errorf("%s: is a file, want the root directory of a system", path),
			"mount it: systemd-dissect --mount "+path+" DIR")
	}
	root := host.At(path)
	if _, err := root.SystemdVersion(); err != nil {
		return hint.With(err, "install the package systemd in "+path)
	}
	if !anyIn(root, busSockets) || !anyIn(root, busPrograms) {
		return hint.With(fmt.Errorf("%s: D-Bus is not installed, without which nobody can talk to its systemd", path),
			"install the package dbus (or dbus-broker) in "+path)
	}
	return nil
}

func anyIn(root host.Root, names []string) bool {
	for _, name := range names {
		if _, err := root.Stat(name); err == nil {
			return true
		}
	}
	return false
}
