package probe

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"
)

// lookUp asks a name server for the address of localhost. A server that serves no such name refuses, which is an answer
// too; RFC 1035, section 4.
func (t *talk) lookUp(stream bool) {
	const header, rcode = 12, 0x0f
	question := []byte(localhost)
	prefix := 0
	if stream {
		prefix = 2
		question = append(binary.BigEndian.AppendUint16(nil, uint16(len(question))), question...)
	}
	answer := t.dialog("the answer", string(question), func(a []byte) bool { return len(a) >= prefix+header })
	if len(answer) < prefix+header {
		return
	}
	answer = answer[prefix:]
	records := binary.BigEndian.Uint16(answer[6:])
	t.answer.Facts["the answer"] = fmt.Sprintf("code %d, records: %v", answer[3]&rcode, records > 0)
	if records > 0 {
		t.answer.Work = "a record"
	}
}

// clock asks for the time; RFC 5905, section 7.3.
func clock(t *talk) {
	const size, version4, client, server = 48, 4 << 3, 3, 4
	question := make([]byte, size)
	question[0] = version4 | client
	answer := t.dialog("the answer", string(question), func(a []byte) bool { return len(a) >= size })
	if len(answer) < size {
		return
	}
	isTime := answer[0]&7 == server
	t.answer.Facts["the answer"] = fmt.Sprint("the time: ", isTime)
	if isTime {
		t.answer.Work = "the time"
	}
}

// missingFile asks for a file that is not there; RFC 1350, section 4. The answer comes from another port, so that it
// does not arrive here; what the service does for it is seen nonetheless.
func missingFile(t *talk) {
	const answersWithin = 300 * time.Millisecond
	t.send("\x00\x01temper-probe\x00octet\x00")
	t.read(answersWithin, isBytes)
}

// description asks for what describes the system, as the public may; RFC 3416 and RFC 3418.
func description(t *talk) {
	const get = "\x30\x26\x02\x01\x01\x04\x06public\xa0\x19\x02\x01\x01\x02\x01\x00\x02\x01\x00\x30\x0e\x30\x0c" +
		"\x06\x08\x2b\x06\x01\x02\x01\x01\x01\x00\x05\x00"
	// The name of what is asked for, before a text; another kind of value says that there is none.
	const described = "\x06\x08\x2b\x06\x01\x02\x01\x01\x01\x00\x04"
	answer := t.dialog("the answer", get, isBytes)
	if len(answer) == 0 {
		return
	}
	isText := bytes.Contains(answer, []byte(described))
	t.answer.Facts["the answer"] = fmt.Sprint("a description: ", isText)
	if isText {
		t.answer.Work = "a description of the system"
	}
}
