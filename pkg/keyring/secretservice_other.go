//go:build !linux

package keyring

import "runtime"

func secretServiceCollection() (string, error) {
	return "", &Problem{Unavailable, "there is none on " + runtime.GOOS}
}

func secretServiceProblem(error) *Problem { return nil }
