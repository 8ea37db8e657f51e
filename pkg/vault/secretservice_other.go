//go:build !linux

package vault

import "runtime"

func secretServiceCollection() (string, error) {
	return "", &problem{kindUnavailable, "there is none on " + runtime.GOOS}
}

func secretServiceProblem(error) *problem { return nil }
