package observe

import (
	"crypto/sha256"
	"encoding/hex"
)

// ContentHash is the hash of a content in which all numbers, and all words with digits, are the same, since times,
// process ids and counters differ from launch to launch. White space before them is, too: it may fill a column.
func ContentHash(content []byte) string {
	out := make([]byte, 0, len(content))
	for i := 0; i < len(content); {
		end, digits := i, false
		for ; end < len(content) && isWord(content[end]); end++ {
			digits = digits || isDigit(content[end])
		}
		switch {
		case end > i && digits:
			out = append(out, 'N')
		case end > i:
			out = append(out, content[i:end]...)
		case !isBlank(content[i]) || len(out) == 0 || !isBlank(out[len(out)-1]):
			out = append(out, content[i])
		}
		i = max(end, i+1)
	}
	sum := sha256.Sum256(out)
	return hex.EncodeToString(sum[:])
}

// onlyNumber are the hashes of a content that is one number, such as a process id.
var onlyNumber = []string{ContentHash([]byte("1\n")), ContentHash([]byte("1"))}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isWord(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c == '.' || c == '-' || c == '+'
}
