package flows

import (
	"cmp"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/oauth2"

	"ninjaone-auth/pkg/report"
	"ninjaone-auth/pkg/session"
)

// What makes an access token unusable, as the end of a sentence.
var (
	errNoAccessToken = errors.New("JSON without a usable access_token")
	errTokenType     = errors.New("a token of another type than Bearer, which is no use here")
)

// tokenResponse is a response of RFC 6749 section 5.1, whose fields may be of any type.
type tokenResponse struct {
	Access  json.RawMessage `json:"access_token"`
	Type    json.RawMessage `json:"token_type"`
	Refresh json.RawMessage `json:"refresh_token"`
	Expires json.RawMessage `json:"expires_in"`
	Scope   json.RawMessage `json:"scope"`
	Error   json.RawMessage `json:"error"`
}

// mend writes a token response anew with fields of the types that x/oauth2 wants, as it refuses all of a response for one
// field of another type, a refresh token that exists nowhere else included.
func (a *attempt) mend(body []byte) []byte {
	var r tokenResponse
	if a.status() >= http.StatusMultipleChoices || json.Unmarshal(body, &r) != nil || text(r.Error) != "" {
		return body
	}
	a.life, a.refresh = life(r.Expires), text(r.Refresh)
	a.oddLife = a.life == 0 && r.Expires != nil
	if strings.ContainsFunc(a.refresh, func(r rune) bool { return !unicode.IsPrint(r) }) { // as no vault may hold it
		a.refresh, a.oddRefresh = "", true
	}
	mended, _ := json.Marshal(map[string]string{
		"access_token": text(r.Access), "token_type": cmp.Or(text(r.Type), strings.Trim(string(r.Type), `"`)),
		"refresh_token": a.refresh, "scope": text(r.Scope),
	})
	return mended
}

// text is a JSON string's value, "" for everything else.
func text(value json.RawMessage) (text string) {
	_ = json.Unmarshal(value, &text)
	return text
}

// life reads expires_in, as a number or as a text that holds one, and is 0 for what makes no sense.
func life(value json.RawMessage) time.Duration {
	number := string(value)
	if quoted := text(value); quoted != "" {
		number = quoted
	}
	seconds, err := strconv.ParseFloat(number, 64)
	if err != nil || !(seconds >= 1 && seconds <= math.MaxInt32) {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// check refuses what can't stand in a header (RFC 6749 section 7.1): an access token is of VSCHAR (appendix A.12).
func check(token *oauth2.Token) error {
	switch {
	case strings.ContainsFunc(token.AccessToken, func(r rune) bool { return r < ' ' || r > '~' }):
		return errNoAccessToken
	case !strings.EqualFold(token.Type(), "Bearer"):
		return errTokenType
	}
	return nil
}

// lifeWithoutExpiry is for a response without a usable expires_in (RFC 6749 section 5.1 only recommends one).
const lifeWithoutExpiry = 10 * time.Minute

func (c *Client) authentication(token *oauth2.Token, a *attempt, g grant) session.Authentication {
	life := a.life
	if life == 0 {
		life = lifeWithoutExpiry
		say := report.Verbosef
		if a.oddLife {
			say = report.Warningf
		}
		say(c.sink, "NinjaOne did not say when the access token expires, in a number of seconds; it is renewed after %s.", life)
	}
	if a.oddRefresh {
		report.Warningf(c.sink, "NinjaOne's new refresh token holds characters that no token may hold, so it is not used: sign in again when the access token has run out.")
	}
	c.compareScopes(token, g)
	return session.Authentication{
		Type:    "Bearer",
		Access:  token.AccessToken,
		Expires: time.Now().Add(life).UTC().Truncate(time.Second),
		Refresh: session.Optional(token.RefreshToken),
	}
}
