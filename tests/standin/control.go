package standin

import (
	"encoding/json"
	"net/http"
)

// Control is the stand-in's control API: JSON over plain HTTP, for callers in other processes. Unknown fields are refused.
//
//	POST /apps            an App, {} for a usual one; returns it with its defaults
//	POST /faults          a Fault; returns {}
//	GET  /requests        the log, [Request …]
//	GET  /secrets         ["…"], every secret ever registered or issued
//	GET  /violations      ["…"], what clients must never do
//	POST /refresh-token   {"clientId"}: issues one, {"refreshToken"}
//	POST /check           {"accessToken", "refreshToken"}: {"access": bool, "refresh": bool}, whether they are valid
//	POST /reset           forgets everything but the secrets; what a fault holds back is sent
//
// What is not as asked is a 400 with {"error"}.
func (s *Service) Control() http.Handler {
	mux := http.NewServeMux()
	type none struct{}
	control(mux, "POST /apps", s.Register)
	control(mux, "POST /faults", func(fault Fault) (none, error) { return none{}, s.Fail(fault) })
	control(mux, "GET /requests", func(none) ([]Request, error) { return s.Requests(), nil })
	control(mux, "GET /secrets", func(none) ([]string, error) { return s.Secrets(), nil })
	control(mux, "GET /violations", func(none) ([]string, error) { return s.Violations(), nil })
	control(mux, "POST /refresh-token", func(client struct {
		ClientID string `json:"clientId"`
	}) (map[string]string, error) {
		return map[string]string{"refreshToken": s.IssueRefreshToken(client.ClientID)}, nil
	})
	control(mux, "POST /check", func(tokens struct {
		AccessToken  string `json:"accessToken"`
		RefreshToken string `json:"refreshToken"`
	}) (map[string]bool, error) {
		return map[string]bool{
			"access": s.IsValidAccess(tokens.AccessToken), "refresh": s.IsValidRefresh(tokens.RefreshToken),
		}, nil
	})
	control(mux, "POST /reset", func(none) (none, error) { s.Reset(); return none{}, nil })
	return mux
}

// control serves one method of the control API: JSON in (nothing counts as {}), JSON out.
func control[In, Out any](mux *http.ServeMux, pattern string, do func(In) (Out, error)) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		var in In
		var err error
		if r.ContentLength != 0 {
			decoder := json.NewDecoder(r.Body)
			decoder.DisallowUnknownFields()
			err = decoder.Decode(&in)
		}
		var out any
		if err == nil {
			out, err = do(in)
		}
		w.Header().Set("Content-Type", "application/json")
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			out = map[string]string{"error": err.Error()}
		}
		_ = json.NewEncoder(w).Encode(out)
	})
}
