package refusallog_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"temper/internal/host"
	"temper/internal/refusal"
	"temper/internal/refusallog"
)

func write(subject string, count uint64) refusallog.Refusal {
	at := time.Unix(1700000000, 0)
	return refusallog.Refusal{
		Directives: []string{"ProtectSystem"}, Restriction: refusal.PathReadOnly, Subject: subject, Program: "web",
		Call: "openat(): EROFS", Count: count, First: at, Last: at.Add(time.Duration(count) * time.Second),
	}
}

// TestUpdate: counts add up over several writers, an answer stays, and nobody else can read the file.
func TestUpdate(t *testing.T) {
	root := t.TempDir()
	s := refusallog.Store{Root: host.At(root)}
	if _, err := s.Get("web.service"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("without a log: %v", err)
	}
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if err := s.Update("web.service", func(l *refusallog.Log) { l.Add(write("/srv/x", 2)) }); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	err := s.Update("web.service", func(l *refusallog.Log) {
		l.Refusals[0].Answer = refusallog.Ignored
		l.Add(write("/srv/y", 1))
		l.Add(write("/srv/x", 1))
	})
	if err != nil {
		t.Fatal(err)
	}
	log, err := s.Get("web.service")
	if err != nil {
		t.Fatal(err)
	}
	if got := log.Refusals[0]; got.Count != 21 || got.Answer != refusallog.Ignored {
		t.Errorf("got %+v, want 21 calls and the answer", got)
	}
	if open := log.Open(); len(open) != 1 || open[0].Subject != "/srv/y" {
		t.Errorf("open are %+v", open)
	}
	if got := log.Summary(); got.Open != 1 || got.Calls != 22 {
		t.Errorf("summary %+v", got)
	}
	info, err := os.Stat(filepath.Join(root, refusallog.Dir, "web.service.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if units, err := s.Units(); err != nil || len(units) != 1 || units[0] != "web.service" {
		t.Errorf("units %v, %v", units, err)
	}
}

// TestUpdateBeginsAnew: only a log that is damaged is begun anew. One that cannot be read now, or by this temper, keeps
// what a person answered.
func TestUpdateBeginsAnew(t *testing.T) {
	const answered = `"unit":"web.service","refusals":[{"subject":"/srv/x","answer":"ignored"}]`
	for name, c := range map[string]struct {
		text string
		mode fs.FileMode
		anew bool
	}{
		"damaged":                 {text: `{"schema":1,` + answered, mode: 0o600, anew: true},
		"empty":                   {mode: 0o600, anew: true},
		"of another kind":         {text: `{"schema":1,"unit":"web.service","refusals":{}}`, mode: 0o600, anew: true},
		"newer":                   {text: `{"schema":2,` + answered + `}`, mode: 0o600},
		"newer, of another kind":  {text: `{"schema":2,"unit":"web.service","refusals":{"/srv/x":"ignored"}}`, mode: 0o600},
		"about another":           {text: `{"schema":1,"unit":"mail.service"}`, mode: 0o600},
		"one that others changed": {text: `{"schema":1,` + answered + `}`, mode: 0o666},
		"too large":               {text: `{"schema":1,` + answered + `}` + strings.Repeat(" ", 1<<20), mode: 0o600},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			file := filepath.Join(root, refusallog.Dir, "web.service.json")
			err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(c.text), 0o600),
				os.Chmod(file, c.mode))
			if err != nil {
				t.Fatal(err)
			}
			s := refusallog.Store{Root: host.At(root)}
			err = s.Update("web.service", func(l *refusallog.Log) { l.Add(write("/srv/y", 1)) })
			if (err == nil) != c.anew {
				t.Errorf("the error is %v", err)
			}
			log, getErr := s.Get("web.service")
			if c.anew && (getErr != nil || len(log.Refusals) != 1 || log.Since.IsZero()) {
				t.Errorf("begun anew: %v, %+v", getErr, log)
			}
			if text, err := os.ReadFile(file); err != nil || !c.anew && string(text) != c.text {
				t.Errorf("the log is %.100q now: %v", text, err)
			}
		})
	}
}

// TestLimits: whatever a service does, its log stays below 1 MiB and can be read again; the rest is counted.
func TestLimits(t *testing.T) {
	root := t.TempDir()
	s := refusallog.Store{Root: host.At(root)}
	const many = 2 * refusallog.MaxRefusals
	for range 2 {
		err := s.Update("web.service", func(l *refusallog.Log) {
			for i := range many {
				l.Add(write(fmt.Sprintf("/%d/%s", i, strings.Repeat("\x01", 505)), 1))
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(filepath.Join(root, refusallog.Dir, "web.service.json"))
	if err != nil || info.Size() > 1<<20 {
		t.Fatalf("%d bytes, %v", info.Size(), err)
	}
	log, err := s.Get("web.service")
	if err != nil {
		t.Fatal(err)
	}
	all := log.More
	for _, r := range log.Refusals {
		all += r.Count
	}
	if all != 2*many {
		t.Errorf("%d refusals are counted, want %d", all, 2*many)
	}
}

// FuzzGet: a damaged log is an error and no more.
func FuzzGet(f *testing.F) {
	good, err := json.Marshal(refusallog.Log{
		Schema: refusallog.Schema, Unit: "web.service", Refusals: []refusallog.Refusal{write("/srv/x", 1)},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"schema":1,"unit":"other.service"}`))
	f.Add([]byte(`[`))
	root := f.TempDir()
	if err := os.MkdirAll(filepath.Join(root, refusallog.Dir), 0o700); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		name := filepath.Join(root, refusallog.Dir, "web.service.json")
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		log, err := refusallog.Store{Root: host.At(root)}.Get("web.service")
		if err == nil {
			log.Open()
			log.Summary()
		}
	})
}
