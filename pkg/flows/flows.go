// Package flows gets tokens from NinjaOne: client credentials, refresh token, and authorization code in the browser.
package flows

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"ninjaone-auth/pkg/report"
	"ninjaone-auth/pkg/session"
)

// Application is a client app as registered in NinjaOne, on the one instance that it lives on.
type Application struct {
	Instance     string
	BaseURL      string // https://eu.ninjarmm.com
	ClientID     string
	ClientSecret string
}

// Client makes an application's token requests. An access token that can't be used is an InvalidResponse. A refresh token
// beside it, which may exist nowhere else, is used at once for another; or Keeps is set, and it is returned with the failure.
// Again says that the same scopes were asked for before: then it is no news if others are granted.
type Client struct {
	App          Application
	Keeps, Again bool
	sink         report.Sink
}

// NewClient returns a client that tells sink what it does.
func NewClient(app Application, sink report.Sink) *Client {
	return &Client{App: app, sink: sink}
}

// ClientCredentials makes the request of RFC 6749 section 4.4. It is tried again after a failed or lost connection
// and after 429, 502, 503 and 504; a cancelled ctx ends it at once.
func (c *Client) ClientCredentials(ctx context.Context, scopes []string) (session.Authentication, error) {
	return c.token(ctx, grant{kind: clientCredentials, scopes: scopes, repeatable: true})
}

// Refresh makes the request of RFC 6749 section 6; without scopes it asks for those of the original grant, which are
// expected to be those in asked. A response without a new refresh token keeps the old one. As NinjaOne rotates refresh
// tokens, the request is tried again only where it certainly was not processed, and once it is under way a cancelled ctx
// does not end it.
func (c *Client) Refresh(ctx context.Context, refreshToken string, scopes, asked []string) (session.Authentication, error) {
	return c.token(ctx, refreshing(refreshToken, scopes, asked))
}

func refreshing(refreshToken string, scopes, asked []string) grant {
	return grant{
		kind: refreshTokenGrant, scopes: scopes, asked: asked, rotates: true, secret: refreshToken,
		params: url.Values{"refresh_token": {refreshToken}},
	}
}

// exchange makes the request of RFC 6749 section 4.1.3 with the PKCE verifier of RFC 7636.
func (c *Client) exchange(ctx context.Context, code, redirectURI, verifier string, scopes []string) (session.Authentication, error) {
	return c.token(ctx, grant{
		kind: authorizationCode, asked: scopes, secret: code,
		params: url.Values{"code": {code}, "redirect_uri": {redirectURI}, "code_verifier": {verifier}},
	})
}

const (
	clientCredentials = "client_credentials"
	refreshTokenGrant = "refresh_token"
	authorizationCode = "authorization_code"
)

// grant is what one kind of token request sends, and what may be done with it.
type grant struct {
	kind       string
	scopes     []string // sent
	asked      []string // not sent, but asked for when the grant was given
	params     url.Values
	secret     string // the refresh token or the code, never to be shown
	repeatable bool   // a request whose response was lost may be sent again
	rotates    bool   // the response must not be lost
}

func (c *Client) tokenURL() string { return c.App.BaseURL + "/ws/oauth/token" }

// config is the request for x/oauth2; its client-credentials package takes any grant_type.
func (c *Client) config(g grant) *clientcredentials.Config {
	params := url.Values{"grant_type": {g.kind}}
	for name, values := range g.params {
		params[name] = values
	}
	return &clientcredentials.Config{
		ClientID: c.App.ClientID, ClientSecret: c.App.ClientSecret, TokenURL: c.tokenURL(),
		Scopes: g.scopes, EndpointParams: params, AuthStyle: oauth2.AuthStyleInParams,
	}
}

// compareScopes warns when other scopes were granted than asked for (RFC 6749 section 5.1).
func (c *Client) compareScopes(token *oauth2.Token, g grant) {
	scope, _ := token.Extra("scope").(string)
	granted, asked := strings.Fields(scope), slices.Concat(g.scopes, g.asked)
	if len(granted) == 0 || len(asked) == 0 || equalSets(granted, asked) {
		return
	}
	say := report.Warningf
	if c.Again {
		say = report.Verbosef
	}
	say(c.sink, "NinjaOne granted the scopes '%s' instead of '%s'.", c.clean(strings.Join(granted, " "), g, token.AccessToken, token.RefreshToken), strings.Join(asked, " "))
}

func equalSets(a, b []string) bool {
	contains := func(all, some []string) bool {
		return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
	}
	return contains(a, b) && contains(b, a)
}
