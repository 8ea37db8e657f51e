package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/99designs/keyring"
)

var errFull = errors.New("the store is full")

// smallRing is a keyring with the item limit of Windows, which fails at the chosen write.
type smallRing struct {
	keyring.Keyring
	writes, failAt int
}

func (r *smallRing) Set(item keyring.Item) error {
	r.writes++
	if len(item.Data) > windowsLimit || r.writes == r.failAt {
		return errFull
	}
	return r.Keyring.Set(item)
}

func newSmall() (*smallRing, *items) {
	ring := &smallRing{Keyring: keyring.NewArrayKeyring(nil)}
	return ring, &items{ring: ring, limit: windowsLimit, replace: ring.Set}
}

func TestItemsSplitWhatIsTooLarge(t *testing.T) {
	for _, size := range []int{0, 1, windowsLimit - 1, windowsLimit, windowsLimit + 1, 2 * windowsLimit, 32 << 10} {
		_, small := newSmall()
		data := []byte(strings.Repeat("x", size))
		if err := small.save("key", "label", data); err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if got, err := small.load("key"); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes: read %d bytes, %v", size, len(got), err)
		}
	}
}

func TestItemsTornWriteKeepsTheOlder(t *testing.T) {
	for _, olderSize := range []int{100, 8 << 10} {
		older, newer := bytes.Repeat([]byte("o"), olderSize), bytes.Repeat([]byte("n"), 20<<10)
		for failAt := 1; ; failAt++ {
			ring, small := newSmall()
			if err := small.save("key", "", older); err != nil {
				t.Fatal(err)
			}
			ring.writes, ring.failAt = 0, failAt
			err := small.save("key", "", newer)
			if err == nil {
				if failAt < 9 {
					t.Fatalf("only %d writes of 20 KiB failed", failAt-1)
				}
				break
			}
			if got, err := small.load("key"); err != nil || !bytes.Equal(got, older) {
				t.Fatalf("write %d torn: read %d bytes, %v; want the older version", failAt, len(got), err)
			}
			smaller := newer[:6<<10]
			if err := small.save("key", "", smaller); err != nil {
				t.Fatal(err)
			}
			if got, err := small.load("key"); err != nil || !bytes.Equal(got, smaller) {
				t.Fatalf("after write %d torn: read %d bytes, %v", failAt, len(got), err)
			}
			if keys, _ := ring.Keys(); len(keys) != 4 {
				t.Errorf("write %d torn: left %v, want the index and 3 parts", failAt, keys)
			}
		}
	}
}

func TestItemsNoticeDamage(t *testing.T) {
	ring, small := newSmall()
	if err := small.save("key", "", bytes.Repeat([]byte("d"), 8<<10)); err != nil {
		t.Fatal(err)
	}
	_ = ring.Keyring.Set(keyring.Item{Key: "key.a1", Data: []byte("other")})
	_, changed := small.load("key")
	_ = ring.Remove("key.a1")
	_, missing := small.load("key")
	for _, err := range []error{changed, missing} {
		if p := asProblem(err); p == nil || p.Kind != Damaged {
			t.Errorf("error = %v, want %s", err, Damaged)
		}
	}
}

// A reader without the lock meets a writer: it must follow the index to the newer parts.
func TestItemsReadDuringWrite(t *testing.T) {
	ring, small := newSmall()
	older, newer := bytes.Repeat([]byte("o"), 8<<10), bytes.Repeat([]byte("n"), 8<<10)
	if err := small.save("key", "", older); err != nil {
		t.Fatal(err)
	}
	reader := &items{ring: &hookRing{Keyring: ring, before: "key.a0", do: func() { _ = small.save("key", "", newer) }}}
	if got, err := reader.load("key"); err != nil || !bytes.Equal(got, newer) {
		t.Errorf("read %d bytes, %v; want the newer version", len(got), err)
	}
}

type hookRing struct {
	keyring.Keyring
	before string
	do     func()
}

func (r *hookRing) Get(key string) (keyring.Item, error) {
	if key == r.before {
		r.before = ""
		r.do()
	}
	return r.Keyring.Get(key)
}

func TestItemsListAndRemove(t *testing.T) {
	ring, small := newSmall()
	_ = ring.Set(keyring.Item{Key: "another program's", Data: []byte("x")})
	var keys []string
	for i := range 3 {
		key := fmt.Sprintf("ninjaone-auth.%d.%032d", i, i)
		keys = append(keys, key)
		if err := small.save(key, "", bytes.Repeat([]byte("d"), 8<<10)); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(keys)
	all, err := small.list(ours.String())
	if err != nil || len(all) != 3 {
		t.Fatalf("list = %d items, %v, want 3", len(all), err)
	}
	for _, key := range keys {
		if err := small.remove(key); err != nil {
			t.Error(err)
		}
	}
	if left, _ := ring.Keys(); len(left) != 1 {
		t.Errorf("left %v", left)
	}
}
