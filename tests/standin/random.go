package standin

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
)

// randomText returns size random bytes in base64url.
func randomText(size int) string {
	return base64.RawURLEncoding.EncodeToString(randomBytes(size))
}

func newUUID() string {
	b := randomBytes(16)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func randomBytes(size int) []byte {
	b := make([]byte, size)
	_, _ = rand.Read(b) // never fails, it ends the program instead
	return b
}
