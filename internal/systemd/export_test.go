package systemd

import (
	"bufio"
	"net"
	"time"
)

// AnswerWithin sets how long the client waits for an answer.
func (c *Client) AnswerWithin(limit time.Duration) { c.answer = limit }

// Bounded is the stream of a connection with a limit for each write.
func Bounded(stream net.Conn, limit time.Duration) net.Conn {
	return &bounded{stream, bufio.NewReader(stream), limit}
}
