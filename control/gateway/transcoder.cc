#include "control/gateway/transcoder.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/clock/steady_clock.h"
#include "common/http/error_body.h"
#include "common/rpc/access.h"
#include "common/status/status.h"
#include "common/telemetry/metrics.h"
#include "control/gateway/body_stream.h"
#include "control/gateway/browser_sign_in.h"
#include "control/gateway/http_error.h"
#include "control/gateway/json_writer.h"

namespace chartly::gateway {
namespace {

using google::protobuf::Message;

void SendError(http::Reply& reply, const absl::Status& status, const std::string& request_id,
               const SessionUse& use = {}) {
  http::Response answer = ErrorAnswer(status, request_id);
  DressRefusal(use, status, answer);
  ShowRefusal(use, status, request_id, answer);
  // The one code whose HTTP status depends on the reason: the body, not the caller, is over a limit.
  std::string reason = Reason(status);
  if (reason == "MESSAGE_TOO_LARGE" || reason == "WEBHOOK_TOO_LARGE") answer.status = 413;
  reply.Send(WithApiHeaders(std::move(answer), request_id));
}

// What is answered where no route fits, or OPTIONS asks.
http::Response NoRoute(const http::Request& request, const RouteMatch& match, const std::string& request_id) {
  http::Response answer{204, {}, ""};
  if (match.allow.empty()) {
    answer = http::ErrorResponse(404, "NOT_FOUND", "ROUTE_UNKNOWN",
                                 absl::StrCat("no route ", request.path, "; see /api/openapi.json"), request_id,
                                 {{"path", request.path}});
    answer.for_nothing = true;
    return answer;
  }
  if (request.method != "OPTIONS") {
    answer = http::ErrorResponse(
        405, "UNIMPLEMENTED", "METHOD_NOT_ALLOWED",
        absl::StrCat(request.path, " does not answer ", request.method, "; it answers ", match.allow), request_id,
        {{"allow", match.allow}, {"method", request.method}, {"path", request.path}});
    answer.for_nothing = true;
  }
  answer.headers.emplace_back("Allow", match.allow);
  return answer;
}

}  // namespace

http::Response WithApiHeaders(http::Response response, const std::string& request_id) {
  response.headers.emplace_back("X-Request-Id", request_id);
  response.headers.emplace_back("X-Content-Type-Options", "nosniff");
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

Transcoder::Transcoder(const RouteTable& routes, RpcCaller& caller, rpc::AuditSink* audit, TranscoderOptions options)
    : routes_(routes),
      caller_(caller),
      audit_(audit),
      options_(options),
      streams_(options.heartbeat_interval, options.max_event_streams) {}

// Headers that would say who the caller is, such as X-Principal, are not among what is read.
absl::StatusOr<Secret> Transcoder::KeyFor(const Route& route, const http::Request& request, SessionUse& use) {
  const v1::Access access = rpc::AccessOf(*route.method);
  use = SessionUseOf(request);
  if (BeginsSession(*route.method)) {
    RETURN_IF_ERROR(CheckSignIn(request));
    RETURN_IF_ERROR(guesses_.Check(request.remote_address, SteadyNow()));
  }
  if (IsSignInStep(*route.method)) {
    RETURN_IF_ERROR(CheckSignInStep(request, *route.method, use));
    RETURN_IF_ERROR(guesses_.Check(request.remote_address, SteadyNow()));
  }
  // Where the request proves itself, an Authorization of another kind is none of ours.
  if (access == v1::ACCESS_SIGNED) return Secret();
  ASSIGN_OR_RETURN(std::string key, ApiKeyOf(request));
  if (!key.empty()) {
    RETURN_IF_ERROR(guesses_.Check(request.remote_address, SteadyNow()));
    return Secret(std::move(key));
  }
  ASSIGN_OR_RETURN(std::string session, SessionOf(request));
  use.session = Secret(std::move(session));
  if (!use.session.empty()) return use.session;
  rpc::Caller nobody;
  nobody.role = options_.anonymous;
  RETURN_IF_ERROR(rpc::CheckAccess(access, nobody, route.method->name()));
  return Secret();
}

void Transcoder::RecordRefusal(const Route& route, const http::Request& request, const std::string& request_id,
                               const absl::Status& status) {
  if (absl::IsInvalidArgument(status)) return;  // a mistake, whoever made it
  Count("chartly_auth_refusals_total", 1, Reason(status));
  if (audit_ == nullptr) return;
  const rpc::Caller nobody;
  rpc::AuditEntry entry;
  entry.actor = nobody.principal;
  entry.tenant = nobody.tenant;
  entry.action = absl::StrCat(route.method->service()->name(), ".", route.method->name());
  entry.outcome = absl::StatusCodeToString(status.code());
  entry.request_id = request_id;
  entry.address = request.remote_address;
  audit_->Refused(entry);
}

void Transcoder::NoteEnd(const std::string& address, const absl::Status& status) {
  const std::string reason = Reason(status);
  const bool is_wrong = reason == "API_KEY_UNKNOWN" || absl::StartsWith(reason, "SIGN_IN_");
  if (is_wrong) guesses_.NoteWrong(address, SteadyNow());
}

void Transcoder::Handle(const http::Request& request, const std::string& request_id,
                        std::shared_ptr<http::Reply> reply) {
  RouteMatch match = routes_.Find(request.method, request.path);
  if (match.route == nullptr) return reply->Send(WithApiHeaders(NoRoute(request, match, request_id), request_id));
  const Route& route = *match.route;
  SessionUse use;
  absl::StatusOr<Secret> api_key = KeyFor(route, request, use);
  if (!api_key.ok()) {
    RecordRefusal(route, request, request_id, api_key.status());
    return SendError(*reply, api_key.status(), request_id, use);
  }
  absl::StatusOr<std::unique_ptr<Message>> message =
      use.step ? BuildRequest(OnlyKnownParameters(request, *route.method->input_type()), match)
               : BuildRequest(request, match);
  if (!message.ok()) return SendError(*reply, message.status(), request_id, use);
  if (use.step) SetTicket(request, **message);
  CallOptions options{*std::move(api_key), request_id, request.remote_address, options_.call_timeout};
  if (!route.method->server_streaming()) return CallUnary(route, **message, options, use, reply);
  if (request.method == "HEAD") {
    const char* type = route.raw_answer == nullptr ? "text/event-stream" : "application/octet-stream";
    return reply->Send(WithApiHeaders(http::Response{200, {{"Content-Type", type}}, ""}, request_id));
  }
  options.timeout = absl::InfiniteDuration();
  if (route.raw_answer != nullptr) return CallBody(route, **message, options, reply);
  CallStream(route, **message, options, reply);
}

void Transcoder::CallUnary(const Route& route, const Message& message, const CallOptions& options,
                           const SessionUse& use, const std::shared_ptr<http::Reply>& reply) {
  auto done = [this, reply, use, request_id = options.request_id,
               address = options.address](absl::StatusOr<std::unique_ptr<Message>> answer) {
    NoteEnd(address, answer.status());
    if (!answer.ok()) return SendError(*reply, answer.status(), request_id, use);
    http::Response response{200, {{"Content-Type", "application/json"}}, ""};
    DressAnswer(use, **answer, response);
    if (!SendOn(use, **answer, response)) response.body = absl::StrCat(WriteJson(**answer), "\n");
    reply->Send(WithApiHeaders(std::move(response), request_id));
  };
  std::shared_ptr<Call> call = caller_.Unary(route.part, *route.method, message, options, std::move(done));
  reply->OnGone([call] { call->Cancel(); });
}

void Transcoder::CallBody(const Route& route, const Message& message, const CallOptions& options,
                          const std::shared_ptr<http::Reply>& reply) {
  auto body = std::make_shared<BodyStream>(reply, options.request_id, *route.raw_answer);
  auto call = caller_.Stream(
      route.part, *route.method, message, options,
      [body](const Message& piece, Call& under_way) { return body->OnMessage(piece, under_way); },
      [this, body, address = options.address](const absl::Status& status) {
        NoteEnd(address, status);
        body->OnEnd(status);
      });
  reply->OnGone([call] { call->Cancel(); });
}

void Transcoder::CallStream(const Route& route, const Message& message, const CallOptions& options,
                            const std::shared_ptr<http::Reply>& reply) {
  auto stream = std::make_shared<EventStream>(reply, options.request_id);
  absl::Status added = streams_.Add(stream);
  if (!added.ok()) return SendError(*reply, added, options.request_id);
  auto call = caller_.Stream(
      route.part, *route.method, message, options,
      [stream](const Message& event, Call&) {
        return stream->OnMessage(event) ? StreamNext::kRead : StreamNext::kStop;
      },
      [this, stream, address = options.address](absl::Status status) {
        NoteEnd(address, status);
        stream->OnEnd(status);
        streams_.Remove(stream);
      });
  stream->SetCall(call);
  reply->OnGone([call] { call->Cancel(); });
}

}  // namespace chartly::gateway
