package vault

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"time"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/report"
	"ninjaone-auth/pkg/session"
)

// mostSpent bounds the list of a session's spent refresh tokens.
const mostSpent = 500

// A vault of which there are copies is read anew for so long, after so long a pause each time, if a copy seems to be old.
const (
	copyPatience = 10 * time.Second
	copyPause    = 500 * time.Millisecond
)

// IsSpent tells whether this machine knows that NinjaOne has replaced a refresh token by another. See Store.
func (g guard) IsSpent(refreshToken session.Optional) bool {
	return refreshToken != "" && slices.ContainsFunc(g.spent(), func(known []byte) bool { return bytes.Equal(known, digest(refreshToken)) })
}

// NoteSpent notes that NinjaOne has replaced a refresh token by another. See Store.
func (g guard) NoteSpent(refreshToken session.Optional) {
	all := append(g.spent(), digest(refreshToken))
	path, err := g.path(".spent")
	if err == nil {
		err = replaceFile(path, bytes.Join(all[max(0, len(all)-mostSpent):], []byte("\n")))
	}
	if err != nil {
		report.Warningf(g.sink, "%s could not be written: %v. Another process may send NinjaOne a refresh token that is used up.", path, err)
	}
}

// spent are the digests of the session's spent refresh tokens, the oldest first.
func (g guard) spent() [][]byte {
	path, err := g.path(".spent")
	if err != nil {
		return nil
	}
	text, _ := os.ReadFile(path)
	return bytes.Fields(text)
}

func digest(refreshToken session.Optional) []byte {
	sum := sha256.Sum256([]byte(refreshToken))
	return hex.AppendEncode(nil, sum[:])
}

// replaceFile writes beside and renames, so that a reader without the lock finds one content or the other.
func replaceFile(path string, content []byte) error {
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// current reads a session until its refresh token is not a spent one: what came of that may be about to be stored, or what
// was read be a copy.
func (g *guard) current(ctx context.Context, store Store) (s session.Session, err error) {
	s, err = store.read(ctx, false)
	for end := time.Now().Add(g.copyPatience); err == nil && g.IsSpent(s.Authentication.Refresh); {
		if !g.isLocked {
			if _, err = g.Await(ctx); err != nil {
				break
			}
		}
		s, err = store.read(ctx, true)
		if err == nil && g.IsSpent(s.Authentication.Refresh) {
			if time.Now().After(end) {
				return session.Session{}, g.outOfDate(store)
			}
			err = pause(ctx, copyPause)
		}
	}
	return s, err
}

// pause waits for a while. Failure: Interrupted.
func pause(ctx context.Context, length time.Duration) error {
	select {
	case <-time.After(length):
		return nil
	case <-ctx.Done():
		return failure.Interruption(context.Cause(ctx))
	}
}

func (g *guard) outOfDate(store Store) *failure.Error {
	return &failure.Error{
		ID: failure.VaultOutOfDate, Target: g.name.Vault,
		Message: fmt.Sprintf("The session of vault %q, prefix %q, in %s is out of date: this machine has renewed it since, which used up the refresh token that is stored there. "+
			"Another program has put the older session back, or the newer one never got there. Nothing was sent to NinjaOne.", g.name.Vault, g.name.Prefix, store),
		Recommendation: "Run Connect-NinjaOne again in a minute. If that does not help, sign in anew with -WriteToSecretVault, which overwrites it.",
	}
}
