package check

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"temper/profiles"
)

// maxAnswer is how many bytes of an answer are read for a pattern.
const maxAnswer = 1 << 20

// probeHTTP sends a request to the service itself: in its network, without a proxy and on a new connection. It follows
// no redirect: a profile that expects a 301 says so. It does not verify certificates, since the question is whether the
// service answers.
func probeHTTP(c profiles.HTTPCheck) probe {
	return func(ctx context.Context, env Env) (string, error) {
		request, err := httpRequest(ctx, c)
		if err != nil {
			return "", final{err}
		}
		client := &http.Client{
			Transport: &http.Transport{
				DialContext:        env.Place.Dial,
				DisableKeepAlives:  true,
				DisableCompression: true,
				TLSClientConfig:    &tls.Config{InsecureSkipVerify: true},
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
		response, err := client.Do(request)
		if ue, ok := errors.AsType[*url.Error](err); ok {
			return "", fmt.Errorf("%s: %w", c.URL, ue.Err)
		} else if err != nil {
			return "", err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
		return judgeHTTP(c, response.StatusCode, string(body), err)
	}
}

func httpRequest(ctx context.Context, c profiles.HTTPCheck) (*http.Request, error) {
	method := c.Method
	if method == "" {
		method = http.MethodGet
	}
	request, err := http.NewRequestWithContext(ctx, method, c.URL, strings.NewReader(c.Send))
	if err != nil {
		return nil, err
	}
	for name, value := range c.Headers {
		request.Header.Set(name, value)
	}
	if h := request.Header.Get("Host"); h != "" {
		request.Host = h // net/http ignores a Host header of a request
	}
	return request, nil
}

// judgeHTTP compares a response with what the check expects. readErr is the error of reading the body.
func judgeHTTP(c profiles.HTTPCheck, status int, body string, readErr error) (string, error) {
	expected := c.Status
	if expected == 0 {
		expected = http.StatusOK
	}
	if status != expected {
		return "", fmt.Errorf("want status %d, got %d %s", expected, status, quoted(body))
	}
	if readErr != nil {
		return "", fmt.Errorf("status %d, but the body ended early after %d bytes: %w", status, len(body), readErr)
	}
	return fmt.Sprintf("status %d, %d bytes", status, len(body)), want("a body", c.Body, body)
}
