package observe

import (
	"regexp"
	"strings"
	"syscall"
)

// A Line is a message that a service logged.
type Line struct {
	Text    string
	IsError bool // by its priority, or by its words
}

// AddLine adds a message of the log. Whether it has the priority of an error does not decide alone: what a daemon
// prints to stderr has the priority info.
func (l *Launch) AddLine(text string, urgent bool) {
	l.Lines[alike(text)] = Line{text, (urgent || speaksOfError(text)) && !coincidences.MatchString(text)}
}

// AddLinesOf adds the messages of another launch that this one has not logged.
func (l *Launch) AddLinesOf(other Launch) {
	for key, line := range other.Lines {
		if _, known := l.Lines[key]; !known {
			l.Lines[key] = line
		}
	}
}

// calendar matches the names of days and months in the time at which a line was written.
var calendar = regexp.MustCompile(`\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b`)

// signed matches a number with its sign, and what fills its column.
var signed = regexp.MustCompile(`[ \t]+[-+]?([0-9])`)

// long matches what can be a key, a fingerprint or a cookie in base64; "Base 64 Encoding" of RFC 4648.
var long = regexp.MustCompile(`[A-Za-z0-9+/]{20,}={0,2}`)

// withoutKeys replaces what is random by its look: long, with digits, capital and small letters, and no path.
func withoutKeys(text string) string {
	return long.ReplaceAllStringFunc(text, func(s string) string {
		has := func(first, last byte) bool {
			return strings.ContainsFunc(s, func(r rune) bool { return rune(first) <= r && r <= rune(last) })
		}
		if s[0] != '/' && has('0', '9') && has('A', 'Z') && has('a', 'z') {
			return "0"
		}
		return s
	})
}

// alike makes lines alike that differ only in what changes from launch to launch.
func alike(text string) string {
	text = withoutKeys(text)
	return calendar.ReplaceAllString(withoutNumbers(signed.ReplaceAllString(text, " $1")), "N")
}

// speaksOfError reports whether a line speaks of an error, in the words of strerror(3) or of failing.
func speaksOfError(text string) bool {
	return failing.MatchString(text) || errorTexts.MatchString(text)
}

var failing = regexp.MustCompile(`(?i)\b(fail(s|ed|ing|ures?)?|errors?|cannot|can't|can not|could ?n[o']t|unable|` +
	`denied|refused|forbidden|not (allowed|supported|permitted|found)|no such|fatal|panic|abort(s|ed|ing)?|` +
	`crash(es|ed|ing)?|exceptions?|traceback|giving up)\b`)

// errorTexts matches what strerror(3) says of any error of Linux.
var errorTexts = func() *regexp.Regexp {
	const most = 133 // EHWPOISON
	var errors []syscall.Errno
	for n := syscall.Errno(1); n <= most; n++ {
		errors = append(errors, n)
	}
	return textsOf(errors...)
}()

// coincidences matches the errors that no sandbox returns, but another process that does something at the same time,
// such as a worker that ends just then, or one that was first to have a port. They come and go from launch to launch.
var coincidences = textsOf(
	syscall.EADDRINUSE, syscall.EPIPE, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EINTR, syscall.EAGAIN,
	syscall.ECHILD, syscall.EALREADY, syscall.EINPROGRESS, syscall.ESHUTDOWN, syscall.ETXTBSY, syscall.EDEADLK,
)

// textsOf matches what strerror(3) says of some errors.
func textsOf(errors ...syscall.Errno) *regexp.Regexp {
	var texts []string
	for _, n := range errors {
		if text := n.Error(); !strings.HasPrefix(text, "errno ") {
			texts = append(texts, regexp.QuoteMeta(text))
		}
	}
	return regexp.MustCompile(`(?i)\b(` + strings.Join(texts, "|") + `)\b`)
}
