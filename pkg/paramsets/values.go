package paramsets

import (
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/session"
)

// shown is a value as an error may quote it.
func shown(p Parameter, value string) string {
	if p.secret {
		return "(not shown)"
	}
	return failure.Clean(value)
}

func toSwitch(p Parameter, value json.RawMessage) (bool, error) {
	var present struct{ IsPresent *bool }
	switch string(value) {
	case "true":
		return true, nil
	case "false", "null":
		return false, nil
	}
	if json.Unmarshal(value, &present) == nil && present.IsPresent != nil {
		return *present.IsPresent, nil
	}
	return false, transformation(p, fmt.Sprintf("Cannot convert the value \"%s\" to type \"System.Management.Automation.SwitchParameter\". "+
		"Boolean parameters accept only Boolean values.", shown(p, string(value))))
}

// text is the string that PowerShell makes of a scalar; arrays and objects make none.
func text(value json.RawMessage) (string, bool) {
	var s string
	switch {
	case string(value) == "null":
		return "", true
	case string(value) == "true":
		return "True", true
	case string(value) == "false":
		return "False", true
	case len(value) > 0 && value[0] == '"' && json.Unmarshal(value, &s) == nil:
		return s, true
	case len(value) > 0 && (value[0] == '-' || value[0] >= '0' && value[0] <= '9'):
		return string(value), true
	}
	return "", false
}

// holdsHalfAPair tells whether a JSON text holds a lone surrogate, of which Go makes the replacement character.
func holdsHalfAPair(value json.RawMessage) bool {
	const replacement = "\ufffd"
	if !strings.Contains(string(value), `\u`) {
		return false
	}
	var decoded any
	_ = json.Unmarshal(value, &decoded)
	given := strings.ToLower(string(value))
	return strings.Count(fmt.Sprint(decoded), replacement) > strings.Count(given, replacement)+strings.Count(given, `\ufffd`)
}

func toString(p Parameter, value json.RawMessage) (string, error) {
	s, ok := text(value)
	if !ok {
		return "", transformation(p, "Cannot convert value to type System.String.")
	}
	if p.Name == "Instance" {
		return s, checkInstance(p, s)
	}
	if s == "System.Security.SecureString" {
		return "", transformation(p, "It is the name of the type SecureString, not the text in it.").With("",
			"Pass the text itself: Get-Secret … -AsPlainText, or [System.Net.NetworkCredential]::new('', $secure).Password.")
	}
	if s == "" && p.mandatorySomewhere() {
		return "", emptyString(p)
	}
	return s, nil
}

func checkInstance(p Parameter, s string) error {
	if slices.ContainsFunc(session.Instances, func(name string) bool { return strings.EqualFold(name, s) }) {
		return nil
	}
	names := strings.Join(session.Instances, ",")
	return validation(p, fmt.Sprintf("The argument \"%s\" does not belong to the set \"%s\" specified by the ValidateSet attribute. "+
		"Supply an argument that is in the set and then try the command again.", shown(p, s), names),
		"Your instance is the first part of the address at which you sign in to NinjaOne: eu, oc, ca, us2 or fed; us for app.ninjarmm.com.")
}

// toScopes takes a string or an array of them, each with one scope or several separated by spaces.
func toScopes(p Parameter, value json.RawMessage) ([]string, error) {
	var several []json.RawMessage
	if json.Unmarshal(value, &several) != nil {
		several = []json.RawMessage{value}
	}
	var scopes []string
	for _, one := range several {
		s, ok := text(one)
		if !ok {
			return nil, transformation(p, "Cannot convert value to type System.String.")
		}
		for _, scope := range strings.Fields(s) {
			if strings.ContainsFunc(scope, notInScope) {
				return nil, validation(p, fmt.Sprintf("The argument \"%s\" holds a character that no scope can have.", shown(p, scope)),
					"Pass scopes as 'monitoring management control' or 'monitoring', 'management', 'control'.")
			}
			if !slices.Contains(scopes, scope) {
				scopes = append(scopes, scope)
			}
		}
	}
	return scopes, nil
}

// notInScope follows the scope-token of RFC 6749 section 3.3.
func notInScope(r rune) bool { return r < '!' || r == '"' || r == '\\' || r > '~' }

// toURI keeps the address as it was given: NinjaOne compares redirect URIs to the letter.
func toURI(p Parameter, value json.RawMessage) (string, error) {
	s, ok := text(value)
	if !ok {
		return "", transformation(p, "Cannot convert value to type System.Uri.")
	}
	address, err := url.Parse(s)
	if err != nil {
		withoutUser := s[strings.LastIndex(s, "@")+1:]
		return "", transformation(p, fmt.Sprintf("Cannot convert value \"%s\" to type \"System.Uri\". Error: \"Invalid URI.\"", shown(p, withoutUser)))
	}
	scheme := strings.ToLower(address.Scheme)
	port := address.Port()
	number, _ := strconv.Atoi(port)
	if scheme != "http" && scheme != "https" || address.Hostname() == "" || strings.Contains(s, "#") || address.User != nil ||
		port != "" && (number < 1 || number > math.MaxUint16) {
		return "", validation(p, fmt.Sprintf("The argument \"%s\" is not a full http or https address without a fragment.", shown(p, address.Redacted())),
			"Pass the redirect URI exactly as it is registered in NinjaOne, for example http://localhost:9090/ or https://redirect.example.uk:9090/auth.")
	}
	return s, nil
}

func toPort(p Parameter, value json.RawMessage) (int, error) {
	number, err := toInt32(p, value)
	switch {
	case err != nil:
		return 0, err
	case number < 1:
		return 0, validation(p, fmt.Sprintf("The %d argument is less than the minimum allowed range of 1. "+
			"Supply an argument that is greater than or equal to 1 and then try the command again.", number), "-Port takes "+accepted[Int32]+".")
	case number > math.MaxUint16:
		return 0, validation(p, fmt.Sprintf("The %d argument is greater than the maximum allowed range of 65535. "+
			"Supply an argument that is less than or equal to 65535 and then try the command again.", number), "-Port takes "+accepted[Int32]+".")
	}
	return number, nil
}

// toInt32 converts as PowerShell does: strings too, also hexadecimal and scientific ones, and halves to the even number.
func toInt32(p Parameter, value json.RawMessage) (int, error) {
	s, ok := text(value)
	if !ok {
		return 0, transformation(p, "Cannot convert value to type \"System.Int32\".")
	}
	s = strings.TrimSpace(s)
	switch strings.ToLower(s) {
	case "", "false":
		return 0, nil
	case "true":
		return 1, nil
	}
	number, err := parseNumber(s)
	switch {
	case err != nil:
		return 0, transformation(p, fmt.Sprintf("Cannot convert value \"%s\" to type \"System.Int32\". "+
			"Error: \"The input string '%[1]s' was not in a correct format.\"", shown(p, s)))
	case math.Abs(number) > math.MaxInt32:
		return 0, transformation(p, fmt.Sprintf("Cannot convert value \"%s\" to type \"System.Int32\". "+
			"Error: \"Value was either too large or too small for an Int32.\"", shown(p, s)))
	}
	return int(math.RoundToEven(number)), nil
}

func parseNumber(s string) (float64, error) {
	if digits, hexadecimal := strings.CutPrefix(strings.ToLower(s), "0x"); hexadecimal {
		number, err := strconv.ParseUint(digits, 16, 31)
		return float64(number), err
	}
	if strings.Trim(s, "0123456789+-.eE") != "" {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseFloat(s, 64)
}
