// What anybody may send to the gateway, up to the call that it makes of it: target, headers and body of a request.
// Whatever it is, what a part gets is a message that it can read, and what the client gets is JSON.
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "common/http/target.h"
#include "common/status/status.h"
#include "control/gateway/browser_sign_in.h"
#include "control/gateway/http_error.h"
#include "control/gateway/json_reader.h"
#include "control/gateway/json_writer.h"
#include "control/gateway/request_builder.h"
#include "control/gateway/route_table.h"
#include "control/gateway/session_cookie.h"
#include "control/gateway/trusted_proxies.h"
#include "google/protobuf/message.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"
#include "test/fuzz/fuzz_target.h"

namespace chartly {
namespace {

using google::protobuf::Message;

bool IsJson(const std::string& text) {
  google::protobuf::Struct object;
  return google::protobuf::util::JsonStringToMessage(text, &object).ok();
}

void CheckRefusal(const absl::Status& status) {
  FUZZ_CHECK(!Reason(status).empty());
  const http::Response answer = gateway::ErrorAnswer(status, "request-1");
  FUZZ_CHECK(answer.status >= 400 && answer.status < 500);
  FUZZ_CHECK(IsJson(answer.body));
}

// "POST /path?query", lines of headers, an empty line, the body.
http::Request Split(absl::string_view input, std::string& target) {
  const auto line = [&input] {
    const size_t end = input.find('\n');
    absl::string_view text = input.substr(0, end);
    input.remove_prefix(end == input.npos ? input.size() : end + 1);
    return text;
  };
  http::Request request;
  const absl::string_view first = line();
  request.method = std::string(first.substr(0, first.find(' ')));
  target = first.size() > request.method.size() ? std::string(first.substr(request.method.size() + 1)) : "";
  for (absl::string_view header = line(); !header.empty(); header = line()) {
    const size_t colon = header.find(':');
    const std::string name = absl::AsciiStrToLower(header.substr(0, colon));
    request.headers[name] =
        colon == header.npos ? "" : std::string(absl::StripAsciiWhitespace(header.substr(colon + 1)));
  }
  request.body = std::string(input);
  request.remote_address = "192.0.2.1";
  return request;
}

// What headers say of who it is.
void CheckSender(const http::Request& request) {
  for (const char c : gateway::RequestIdOf(request)) FUZZ_CHECK(absl::ascii_isprint(static_cast<unsigned char>(c)));
  const absl::StatusOr<std::string> key = gateway::ApiKeyOf(request);
  if (key.ok()) {
    for (const char c : *key) FUZZ_CHECK(c > ' ' && c < 0x7F);
  } else {
    CheckRefusal(key.status());
  }
  const absl::StatusOr<std::string> session = gateway::SessionOf(request);
  if (session.ok()) {
    for (const char c : *session) FUZZ_CHECK(c > ' ' && c < 0x7F);
  } else {
    CheckRefusal(session.status());
  }
  gateway::CheckSignIn(request).IgnoreError();
  static const auto* nobody = new gateway::TrustedProxies(*gateway::TrustedProxies::Create({}));
  static const auto* anybody = new gateway::TrustedProxies(*gateway::TrustedProxies::Create({"0.0.0.0/0", "::/0"}));
  FUZZ_CHECK(nobody->ClientOf(request) == request.remote_address);
  FUZZ_CHECK(anybody->Trusts(anybody->ClientOf(request)));  // so it is an address
}

std::unique_ptr<Message> Empty(const Message& message) { return gateway::NewMessage(*message.GetDescriptor()); }

// The part reads the same as was written, and so does who reads it as JSON.
void CheckMessage(const Message& message) {
  std::string bytes;
  FUZZ_CHECK(message.SerializeToString(&bytes));
  const std::unique_ptr<Message> read = Empty(message);
  FUZZ_CHECK(read->ParseFromString(bytes));
  const std::string json = gateway::WriteJson(message);
  FUZZ_CHECK(gateway::WriteJson(*read) == json);
  const std::unique_ptr<Message> again = Empty(message);
  FUZZ_CHECK(gateway::ReadJson(json, *again).ok());
  FUZZ_CHECK(gateway::WriteJson(*again) == json);
}

}  // namespace

FUZZ_TARGET(request) {
  static const auto* routes = new gateway::RouteTable(*gateway::RouteTable::Build());
  std::string target;
  http::Request request = Split(input, target);
  std::optional<http::Target> parsed = http::ParseTarget(target);
  if (!parsed) return;
  request.path = std::move(parsed->path);
  request.query = std::move(parsed->query);
  CheckSender(request);
  const gateway::RouteMatch match = routes->Find(request.method, request.path);
  if (match.route == nullptr) return;
  FUZZ_CHECK(match.allow.empty());
  gateway::SessionUse use = gateway::SessionUseOf(request);
  if (gateway::IsSignInStep(*match.route->method)) {
    if (!gateway::CheckSignInStep(request, *match.route->method, use).ok()) return;
    request = gateway::OnlyKnownParameters(request, *match.route->method->input_type());
  }
  absl::StatusOr<std::unique_ptr<Message>> message = gateway::BuildRequest(request, match);
  if (!message.ok()) return CheckRefusal(message.status());
  if (use.step) gateway::SetTicket(request, **message);
  CheckMessage(**message);
}

}  // namespace chartly
