package systemd

import (
	"net"
	"time"
)

// AnswerWithin sets how long the client waits for an answer.
func (c *Client) AnswerWithin(limit time.Duration) { c.answer = limit }

// NewStream is the stream of a connection with a limit for each write.
func NewStream(conn net.Conn, limit time.Duration) net.Conn { return newStream(conn, limit) }

// LeftOfMessage is how much of the message that is being read has not been read.
func LeftOfMessage(conn net.Conn) int { return len(conn.(*stream).message) }

// LongestMessage is how long a message can be.
const LongestMessage = longestMessage
