package observe

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
)

// ContentHash is the hash of a content in which all numbers, and all words with digits, are the same, since times,
// process ids and counters differ from launch to launch. White space before them is, too: it may fill a column. Of
// lines that are alike then, as in a record of measurements, there may be any number.
func ContentHash(content []byte) string {
	hash := sha256.New()
	var last []byte
	for line := range bytes.Lines(content) {
		if line = withoutCounts(line); !bytes.Equal(line, last) {
			_, _ = hash.Write(line) // never fails
		}
		last = line
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// withoutCounts replaces the words of a line that have a digit by N, and white space before them by a blank.
func withoutCounts(line []byte) []byte {
	out := make([]byte, 0, len(line))
	for i := 0; i < len(line); {
		end, digits := i, false
		for ; end < len(line) && isWord(line[end]); end++ {
			digits = digits || isDigit(line[end])
		}
		switch {
		case end > i && digits:
			out = append(out, 'N')
		case end > i:
			out = append(out, line[i:end]...)
		case !isBlank(line[i]) || len(out) == 0 || !isBlank(out[len(out)-1]):
			out = append(out, line[i])
		}
		i = max(end, i+1)
	}
	return out
}

// onlyNumber are the hashes of a content that is one number, such as a process id.
var onlyNumber = []string{ContentHash([]byte("1\n")), ContentHash([]byte("1"))}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isWord(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c == '.' || c == '-' || c == '+'
}
