// Package integration_test holds the tests that cross the layers: what the generator makes of real unit files, judged
// by the real systemd in booted containers.
package integration_test
