package verdict

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"temper/internal/host"
)

// LogDir is the directory of the logs of trials. Only people read them, so they can be in /var, which may not be
// mounted when generators run.
const LogDir = "/var/lib/temper/trials"

// A Trial is the log of one launch.
type Trial struct {
	Number   int        `json:"number"`
	Dropin   string     `json:"dropin"` // "" is the baseline
	OK       bool       `json:"ok"`
	Failures []Evidence `json:"failures"`
	Warnings []Evidence `json:"warnings"`
	Refused  []string   `json:"refused"` // system calls that the kernel refused
	Log      []string   `json:"log"`     // what the service logged
	Seconds  float64    `json:"seconds"`
}

// PutTrials stores the log of the trials of a unit, and replaces that of the last proof.
func (s Store) PutTrials(unit string, trials []Trial) error {
	pending, err := s.stageTrials(unit, trials)
	if err == nil {
		defer pending.Discard()
		err = pending.Commit()
	}
	if err != nil {
		return fmt.Errorf("write the trials of %s: %w", unit, err)
	}
	return nil
}

// stageTrials stages the log of the trials of a unit, shortened where it could not be read again.
func (s Store) stageTrials(unit string, trials []Trial) (*host.Staged, error) {
	data, err := encodeTrials(trials, maxTrials)
	if err != nil {
		return nil, err
	}
	return s.stage(s.logFile(unit), private, data)
}

// dropLog removes the log of the trials of a unit.
func (s Store) dropLog(unit string) error {
	if err := s.Root.Remove(s.logFile(unit)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Trials returns the log of the trials of a unit. If there is none, the error wraps [fs.ErrNotExist].
func (s Store) Trials(unit string) ([]Trial, error) {
	file := s.logFile(unit)
	data, err := s.Root.ReadAtMost(file, maxTrials)
	if err != nil {
		return nil, err
	}
	var trials []Trial
	if err := json.Unmarshal(data, &trials); err != nil {
		return nil, fmt.Errorf("%s:%d: %w, want what `temper prove` writes", file, line(data, err), err)
	}
	return trials, nil
}

// logFile is the file of a unit in LogDir or, if the store has its own directories, below the directory of verdicts.
func (s Store) logFile(unit string) string {
	if s.Dirs != nil {
		return filepath.Join(s.Dirs[0], "trials", unit+suffix)
	}
	return filepath.Join(LogDir, unit+suffix)
}
