// Package wire is the conversation between a caller and ninjaone-auth connect (docs/conversation.md, version 1).
package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"ninjaone-auth/pkg/connect"
	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/paramsets"
	"ninjaone-auth/pkg/report"
	"ninjaone-auth/pkg/session"
)

// Version is the version of the conversation; a request that names none is of this one.
const Version = 1

// request is the caller's first line.
type request struct {
	parameters []paramsets.Argument
	session    *session.Session // the caller's present session, or nil
	caller     connect.Caller   // without its Sink and Vaults
	streams    []report.Stream
	vaults     bool
	pending    bool // it knows the line of that type
}

// decodeRequest reads a request line. Failures: EmptyRequest, MalformedRequest, UnsupportedVersion.
func decodeRequest(line []byte) (*request, error) {
	if line = bytes.TrimSpace(line); len(line) == 0 {
		return nil, &failure.Error{
			ID: failure.EmptyRequest, Target: "stdin",
			Message:        "There was no request on the standard input.",
			Recommendation: `Pass one, as one line of JSON: echo '{"parameters":{"Instance":"eu",…}}' | ninjaone-auth connect`,
		}
	}
	var outer struct {
		Version    json.Number     `json:"version"`
		Parameters json.RawMessage `json:"parameters"`
		Session    json.RawMessage `json:"session"`
		Caller     struct {
			Streams     []report.Stream `json:"streams"`
			Vaults      bool            `json:"vaults"`
			Pending     bool            `json:"pending"`
			Interactive *bool           `json:"interactive"`
		} `json:"caller"`
	}
	if !utf8.Valid(line) {
		return nil, invalid("", errNotUTF8)
	}
	err := json.Unmarshal(line, &outer)
	if v := outer.Version.String(); v != "" && v != strconv.Itoa(Version) {
		return nil, &failure.Error{
			ID: failure.UnsupportedVersion, Target: "version",
			Message:        fmt.Sprintf("The request is of version %s of the conversation; this ninjaone-auth speaks version %d.", failure.Clean(v), Version),
			Recommendation: "Update ninjaone-auth and Connect-NinjaOne.ps1 to the same release.",
		}
	}
	if err == nil && line[0] != '{' {
		err = errNotAnObject
	}
	if err != nil {
		return nil, invalid("", err)
	}
	arguments, err := decodeArguments(outer.Parameters)
	if err != nil {
		return nil, invalid("parameters: ", err)
	}
	present, err := decodeSession(outer.Session)
	if err != nil && isOfClient(outer.Session, arguments) {
		return nil, invalid("session: ", err).With("", "Connect-NinjaOne passes on the session of this script: clear it with "+
			"Remove-Variable NRAPIConnectionInformation, NRAPIAuthenticationInformation -Scope Script -Force.")
	}
	who := outer.Caller
	return &request{
		parameters: arguments, session: present, streams: who.Streams, vaults: who.Vaults, pending: who.Pending,
		caller: connect.Caller{
			SeesMessages: len(who.Streams) > 0,
			SignsIn:      who.Interactive == nil || *who.Interactive,
			KeepsTokens:  true,
		},
	}, nil
}

var (
	errNotAnObject = errors.New("not an object")
	errNotUTF8     = errors.New("not UTF-8")
	// errSeveralLines is for a caller that says more, a line each, which can't be told from the request's lines.
	errSeveralLines = errors.New("several lines")
)

// invalid says what is wrong with a request without quoting it, as it holds secrets.
func invalid(where string, err error) *failure.Error {
	problem := "it is not one JSON object"
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.Is(err, errSeveralLines):
		problem = "it starts a conversation (streams or vaults), so it has to stand on one line"
	case errors.Is(err, errNotUTF8):
		problem = "it is not UTF-8"
	case errors.As(err, &wrongType) && wrongType.Field != "":
		problem = fmt.Sprintf("%s%s can't be of the type %s", where, wrongType.Field, wrongType.Value)
	case errors.As(err, &wrongType), errors.Is(err, errNotAnObject):
		problem = where + "it is not an object"
	}
	return &failure.Error{
		ID: failure.MalformedRequest, Target: "stdin", Cause: err,
		Message:        fmt.Sprintf("The request on the standard input can't be read: %s.", problem),
		Recommendation: "Write it as one JSON object, as UTF-8, and on one line if the caller converses (with jq: jq -c).",
	}
}

// decodeArguments keeps the order in which the parameters stand, and doubles, for the binder to refuse.
func decodeArguments(raw json.RawMessage) ([]paramsets.Argument, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil, errNotAnObject
	}
	var arguments []paramsets.Argument
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
		arguments = append(arguments, paramsets.Argument{Name: name.(string), Value: value})
	}
	return arguments, nil
}

// isOfClient tells whether a session that can't be read is of the client that the call names: only then does it matter.
func isOfClient(raw json.RawMessage, arguments []paramsets.Argument) bool {
	var present struct {
		Connection struct {
			ClientID json.RawMessage `json:"ClientId"`
		} `json:"connection"`
	}
	if json.Unmarshal(raw, &present) != nil {
		return true
	}
	return slices.ContainsFunc(arguments, func(a paramsets.Argument) bool {
		return strings.EqualFold(a.Name, "ClientId") && bytes.Equal(a.Value, present.Connection.ClientID)
	})
}

// decodeSession reads what PowerShell makes of the two hashtables: switches may be objects, what was read from a vault may
// be strings, and an Expires that is not ISO 8601 counts as expired. A session without a connection is none.
func decodeSession(raw json.RawMessage) (*session.Session, error) {
	var present struct {
		Connection     map[string]json.RawMessage `json:"connection"`
		Authentication map[string]json.RawMessage `json:"authentication"`
	}
	if len(raw) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(raw, &present); err != nil || len(present.Connection) == 0 {
		return nil, err
	}
	for name, value := range present.Connection {
		present.Connection[name] = plain(name, value)
	}
	expires := session.Authentication{}.Expires
	if json.Unmarshal(present.Authentication["Expires"], &expires) != nil {
		delete(present.Authentication, "Expires")
	}
	plain, err := json.Marshal(present)
	if err != nil {
		return nil, err
	}
	s := &session.Session{}
	if err := json.Unmarshal(plain, s); err != nil {
		return nil, err
	}
	return s, nil
}

// plain is the value of a connection's switch, port or scopes as its type wants it.
func plain(name string, value json.RawMessage) json.RawMessage {
	var parsed any
	if json.Unmarshal(value, &parsed) != nil {
		return value
	}
	if object, ok := parsed.(map[string]any); ok && object["IsPresent"] != nil {
		parsed = object["IsPresent"]
	}
	switch text := strings.Trim(fmt.Sprint(parsed), "[]"); name {
	case "UseSecretManagement", "WriteToSecretVault", "ReadFromSecretVault", "ParseDateTimes":
		return json.RawMessage(strconv.FormatBool(strings.EqualFold(text, "true") || text == "1"))
	case "AuthListenerPort":
		port, _ := strconv.Atoi(text)
		return json.RawMessage(strconv.Itoa(port))
	case "AuthScopes":
		if _, several := parsed.([]any); several {
			joined, _ := json.Marshal(text)
			return joined
		}
	}
	return value
}
