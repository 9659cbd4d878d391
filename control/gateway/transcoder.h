// REST to gRPC: finds the route, builds the request message, calls the part, writes the answer as JSON, as
// server-sent events, or as a body that a part streams. Knows no method by name.
//
// Handle is thread-safe and does not block; the answer comes from a thread of gRPC.
#ifndef CHARTLY_CONTROL_GATEWAY_TRANSCODER_H_
#define CHARTLY_CONTROL_GATEWAY_TRANSCODER_H_

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "common/http/http_server.h"
#include "common/rpc/audit_sink.h"
#include "common/rpc/caller.h"
#include "control/gateway/event_stream.h"
#include "control/gateway/guess_limiter.h"
#include "control/gateway/request_builder.h"
#include "control/gateway/route_table.h"
#include "control/gateway/rpc_caller.h"
#include "control/gateway/session_cookie.h"

namespace chartly::gateway {

struct TranscoderOptions {
  absl::Duration call_timeout = absl::Seconds(60);
  absl::Duration heartbeat_interval = absl::Seconds(15);
  int max_event_streams = 1000;
  rpc::Role anonymous = rpc::Role::kViewer;  // what callers without a key may do
};

class Transcoder {
 public:
  // All of them must outlive the transcoder; without a sink, what is refused here is recorded nowhere.
  Transcoder(const RouteTable& routes, RpcCaller& caller, rpc::AuditSink* audit, TranscoderOptions options);

  // 404 ROUTE_UNKNOWN, 405 METHOD_NOT_ALLOWED with Allow, 401 API_KEY_REQUIRED if the route is not open to callers
  // without a key, 403 CSRF_TOKEN_WRONG, 429 GUESSES_TOO_MANY for an address that shows wrong keys, else what the part
  // answers.
  void Handle(const http::Request& request, const std::string& request_id, std::shared_ptr<http::Reply> reply);
  // Ends all event streams and takes no new ones.
  void Shutdown() { streams_.Shutdown(); }

 private:
  // What the call shows of its maker. Takes note in `use` if that is a session.
  absl::StatusOr<Secret> KeyFor(const Route& route, const http::Request& request, SessionUse& use);
  // What the gateway refuses by itself is in the audit log like what the parts refuse. Nothing is known of the caller.
  void RecordRefusal(const Route& route, const http::Request& request, const std::string& request_id,
                     const absl::Status& status);
  // Counts the wrong keys and sign-ins of an address.
  void NoteEnd(const std::string& address, const absl::Status& status);
  void CallUnary(const Route& route, const google::protobuf::Message& message, const CallOptions& options,
                 const SessionUse& use, const std::shared_ptr<http::Reply>& reply);
  void CallBody(const Route& route, const google::protobuf::Message& message, const CallOptions& options,
                const std::shared_ptr<http::Reply>& reply);
  void CallStream(const Route& route, const google::protobuf::Message& message, const CallOptions& options,
                  const std::shared_ptr<http::Reply>& reply);

  const RouteTable& routes_;
  RpcCaller& caller_;
  rpc::AuditSink* const audit_;
  const TranscoderOptions options_;
  EventStreams streams_;
  GuessLimiter guesses_;
};

// The answer with what every answer of the gateway carries: its request id, nosniff, no-store.
http::Response WithApiHeaders(http::Response response, const std::string& request_id);

}  // namespace chartly::gateway

#endif  // CHARTLY_CONTROL_GATEWAY_TRANSCODER_H_
