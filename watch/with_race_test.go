//go:build race

package watch_test

// withRace says that the race detector is in the program, which takes several times the memory.
const withRace = true
