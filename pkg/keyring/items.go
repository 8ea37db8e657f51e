package keyring

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"

	"github.com/99designs/keyring"
)

// items stores data of any size under keys of a keyring.
//
// What is larger than the keyring takes in one item is split: numbered parts in one of two slots, and under the key
// itself an index that names the slot. The parts of a new version go to the other slot and the index is replaced
// last, so that a write that breaks off leaves the older version as it was.
type items struct {
	ring keyring.Keyring
	// limit is the largest item in bytes, 0 for none.
	limit int
	// replace stores an item so that a reader, and a crash, find either the older or the newer one.
	replace func(keyring.Item) error
}

// index stands in an item whose data is split. Its fields must differ from those of the document.
type index struct {
	Slot   string `json:"slot"`
	Parts  int    `json:"parts"`
	SHA256 []byte `json:"sha256"`
}

func (s *items) load(key string) ([]byte, error) {
	head, err := s.ring.Get(key)
	for err == nil {
		split := parseIndex(head.Data)
		if split == nil {
			return head.Data, nil
		}
		if data, ok := s.join(key, split); ok {
			return data, nil
		}
		before := head.Data
		head, err = s.ring.Get(key)
		if err == nil && bytes.Equal(before, head.Data) {
			return nil, &Problem{Damaged, "a part of it is missing or wrong"}
		}
	}
	return nil, err
}

func (s *items) save(key, label string, data []byte) error {
	write := func(key string, data []byte) error {
		return s.replace(keyring.Item{Key: key, Data: data, Label: label, Description: "A NinjaOne session, stored by ninjaone-auth"})
	}
	if s.limit == 0 || len(data) <= s.limit {
		if err := write(key, data); err != nil {
			return err
		}
		s.removeParts(key, "a", 0)
		s.removeParts(key, "b", 0)
		return nil
	}
	next := &index{Slot: s.freeSlot(key), Parts: (len(data) + s.limit - 1) / s.limit}
	digest := sha256.Sum256(data)
	next.SHA256 = digest[:]
	for i := range next.Parts {
		if err := write(partKey(key, next.Slot, i), data[i*s.limit:min((i+1)*s.limit, len(data))]); err != nil {
			return err
		}
	}
	head, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if err := write(key, head); err != nil {
		return err
	}
	s.removeParts(key, next.Slot, next.Parts)
	s.removeParts(key, otherSlot(next.Slot), 0)
	return nil
}

func (s *items) remove(key string) error {
	if _, err := s.ring.Get(key); err != nil && asProblem(err).Kind == NotFound {
		return err
	}
	if err := s.ring.Remove(key); err != nil {
		return err
	}
	s.removeParts(key, "a", 0)
	s.removeParts(key, "b", 0)
	return nil
}

// list reads every item whose key matches a pattern. If the passphrase opens none of them, that is its problem.
func (s *items) list(pattern string) ([]Item, error) {
	ours, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	keys, err := s.ring.Keys()
	if err != nil {
		return nil, err
	}
	var all []Item
	opened := false
	for _, key := range keys {
		if !ours.MatchString(key) {
			continue
		}
		data, err := s.load(key)
		p := asProblem(err)
		if p != nil && p.Kind == Locked {
			return nil, p
		}
		if p == nil || p.Kind != NotFound {
			all = append(all, Item{key, data, p})
			opened = opened || p == nil || p.Kind != PassphraseWrong
		}
	}
	if len(all) > 0 && !opened {
		return nil, all[0].Problem
	}
	return all, nil
}

// freeSlot returns the slot that the stored version does not use.
func (s *items) freeSlot(key string) string {
	head, err := s.ring.Get(key)
	if used := parseIndex(head.Data); err == nil && used != nil {
		return otherSlot(used.Slot)
	}
	return "a"
}

func (s *items) join(key string, split *index) ([]byte, bool) {
	var data []byte
	for i := range split.Parts {
		part, err := s.ring.Get(partKey(key, split.Slot, i))
		if err != nil {
			return nil, false
		}
		data = append(data, part.Data...)
	}
	digest := sha256.Sum256(data)
	return data, bytes.Equal(digest[:], split.SHA256)
}

// removeParts removes the parts of a slot from a number on, the last first so that no gap hides any. What an error
// leaves is removed by the next save.
func (s *items) removeParts(key, slot string, from int) {
	if s.limit == 0 {
		return
	}
	end := from
	for ; s.has(partKey(key, slot, end)); end++ {
	}
	for i := end - 1; i >= from; i-- {
		_ = s.ring.Remove(partKey(key, slot, i))
	}
}

func (s *items) has(key string) bool {
	_, err := s.ring.Get(key)
	return err == nil
}

func parseIndex(data []byte) *index {
	var parsed index
	if json.Unmarshal(data, &parsed) != nil || parsed.Parts == 0 {
		return nil
	}
	return &parsed
}

func otherSlot(slot string) string {
	if slot == "a" {
		return "b"
	}
	return "a"
}

func partKey(key, slot string, i int) string { return fmt.Sprintf("%s.%s%d", key, slot, i) }
