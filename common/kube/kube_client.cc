#include "common/kube/kube_client.h"

#include <simdjson.h>

#include <fstream>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/status/status.h"
#include "common/text/json_string.h"

namespace chartly::kube {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(10);
constexpr int kPage = 500;
constexpr int64_t kAnswerBytesMax = int64_t{64} << 20;

std::optional<std::string> ReadLineOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file || text.empty()) return std::nullopt;
  return std::string(absl::StripAsciiWhitespace(text));
}

std::string Escaped(absl::string_view text) {
  std::string out;
  for (unsigned char c : text) {
    if (absl::ascii_isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~') {
      out.push_back(static_cast<char>(c));
    } else {
      absl::StrAppendFormat(&out, "%%%02X", c);
    }
  }
  return out;
}

std::string Quoted(absl::string_view text) {
  std::string out;
  AppendJsonString(out, text);
  return out;
}

// What the API says of a call that it did not do: the message of its Status object.
std::string MessageOf(const std::string& body) {
  simdjson::dom::parser parser;
  simdjson::dom::element status;
  std::string_view message;
  if (!parser.parse(body.data(), body.size()).get(status) && !status["message"].get(message)) {
    return std::string(message.substr(0, 500));
  }
  return body.substr(0, 200);
}

absl::Status ErrorOf(int http_status, const std::string& body) {
  const std::string message = MessageOf(body);
  switch (http_status) {
    case 401:
      return Error(absl::StatusCode::kUnauthenticated, "KUBE_REFUSED",
                   absl::StrCat("the API of Kubernetes does not know the caller (", message, "); check its token"));
    case 403:
      return Error(absl::StatusCode::kPermissionDenied, "KUBE_REFUSED",
                   absl::StrCat("the API of Kubernetes refuses it: ", message));
    case 404:
      return Error(absl::StatusCode::kNotFound, "KUBE_NOT_FOUND", absl::StrCat("not in the cluster: ", message));
    case 409:
      return Error(absl::StatusCode::kAborted, "KUBE_CONFLICT", absl::StrCat("somebody was faster: ", message));
    default:
      return Error(http_status / 100 == 5 || http_status == 429 ? absl::StatusCode::kUnavailable
                                                                : absl::StatusCode::kFailedPrecondition,
                   "KUBE_FAILED", absl::StrCat("the API of Kubernetes answers with ", http_status, ": ", message));
  }
}

}  // namespace

absl::StatusOr<KubeAccess> AccessOfPod(const std::function<std::string(const char* name)>& variable,
                                       const std::string& folder) {
  const std::string host = variable("KUBERNETES_SERVICE_HOST");
  const std::string port = variable("KUBERNETES_SERVICE_PORT");
  const std::optional<std::string> name_space = ReadLineOf(folder + "/namespace");
  if (host.empty() || port.empty() || !name_space.has_value() || !ReadLineOf(folder + "/token").has_value()) {
    return Error(absl::StatusCode::kFailedPrecondition, "KUBE_NOT_IN_POD",
                 absl::StrCat("this is no pod with a token: it takes KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT "
                              "and the files token, ca.crt and namespace in ",
                              folder));
  }
  KubeAccess access;
  access.url = absl::StrCat("https://", absl::StrContains(host, ':') ? absl::StrCat("[", host, "]") : host, ":", port);
  access.token_file = folder + "/token";
  access.ca_file = folder + "/ca.crt";
  access.name_space = *name_space;
  return access;
}

absl::StatusOr<std::unique_ptr<KubeClient>> KubeClient::Create(KubeAccess access) {
  if (!absl::StartsWith(access.url, "https://") && !absl::StartsWith(access.url, "http://")) {
    return Error(
        absl::StatusCode::kInvalidArgument, "URL_INVALID",
        absl::StrCat("the address of the API of Kubernetes begins with https:// or http://, not '", access.url, "'"));
  }
  while (absl::EndsWith(access.url, "/")) access.url.pop_back();
  ASSIGN_OR_RETURN(const std::string authorities, net::ReadAuthorities(access.ca_file));
  return std::unique_ptr<KubeClient>(new KubeClient(std::move(access), authorities));
}

// The address is given by whoever runs the process, so every range is allowed.
KubeClient::KubeClient(KubeAccess access, const std::string& authorities)
    : access_(std::move(access)), http_(net::MakeHttpClient(net::EgressPolicy::AllowAll(), authorities)) {}

absl::StatusOr<net::HttpRequest> KubeClient::Request(const std::string& method, const std::string& path) const {
  net::HttpRequest request;
  request.method = method;
  request.url = absl::StrCat(access_.url, "/api/v1/namespaces/", Escaped(access_.name_space), path);
  request.headers["Accept"] = "application/json";
  request.timeout = kTimeout;
  request.max_redirects = 0;
  request.max_bytes = kAnswerBytesMax;
  if (!access_.token_file.empty()) {
    const std::optional<std::string> token = ReadLineOf(access_.token_file);
    if (!token.has_value()) {
      return Error(absl::StatusCode::kFailedPrecondition, "FILE_UNREADABLE",
                   absl::StrCat("cannot read the token in ", access_.token_file), {{"file", access_.token_file}});
    }
    request.headers["Authorization"] = absl::StrCat("Bearer ", *token);
  }
  return request;
}

absl::StatusOr<std::string> KubeClient::Call(net::HttpRequest request) {
  ASSIGN_OR_RETURN(net::HttpResponse response, http_->Send(request));
  if (response.status / 100 != 2) return ErrorOf(response.status, response.body);
  return std::move(response.body);
}

absl::StatusOr<std::vector<KubePod>> KubeClient::ListPods(const std::string& selector,
                                                          const std::atomic<bool>* cancel) {
  std::vector<KubePod> pods;
  std::string next;
  do {
    // Version 0 is what the API has in its memory; what follows a page must be of the same age.
    ASSIGN_OR_RETURN(net::HttpRequest request,
                     Request("GET", absl::StrCat("/pods?labelSelector=", Escaped(selector), "&limit=", kPage,
                                                 next.empty() ? "&resourceVersion=0" : "&continue=", Escaped(next))));
    request.cancel = cancel;
    ASSIGN_OR_RETURN(const std::string body, Call(std::move(request)));
    ASSIGN_OR_RETURN(std::vector<KubePod> page, ParsePods(body, next));
    for (KubePod& pod : page) pods.push_back(std::move(pod));
  } while (!next.empty());
  return pods;
}

absl::Status KubeClient::SetCondition(const KubePod& pod, const std::string& type, const KubeCondition& condition,
                                      const std::string& now, const std::atomic<bool>* cancel) {
  ASSIGN_OR_RETURN(net::HttpRequest request, Request("PATCH", absl::StrCat("/pods/", Escaped(pod.name), "/status")));
  // Of conditions this kind of patch replaces the one of the same type.
  request.headers["Content-Type"] = "application/strategic-merge-patch+json";
  const auto known = pod.conditions.find(type);
  const bool turned = known == pod.conditions.end() || known->second.status != condition.status;
  request.body =
      absl::StrCat(R"({"metadata":{"uid":)", Quoted(pod.uid), R"(,"resourceVersion":)", Quoted(pod.resource_version),
                   R"(},"status":{"conditions":[{"type":)", Quoted(type), R"(,"status":)", Quoted(condition.status),
                   R"(,"reason":)", Quoted(condition.reason), R"(,"message":)", Quoted(condition.message),
                   turned ? absl::StrCat(R"(,"lastTransitionTime":)", Quoted(now)) : "", "}]}}");
  request.cancel = cancel;
  return Call(std::move(request)).status();
}

absl::StatusOr<std::unique_ptr<net::HttpStream>> KubeClient::OpenLog(const KubeLogRequest& log) {
  std::string path =
      absl::StrCat("/pods/", Escaped(log.pod), "/log?timestamps=true&container=", Escaped(log.container));
  if (log.previous) path += "&previous=true";
  if (!log.since.empty()) absl::StrAppend(&path, "&sinceTime=", Escaped(log.since));
  if (log.lines_max > 0) absl::StrAppend(&path, "&tailLines=", log.lines_max);
  ASSIGN_OR_RETURN(net::HttpRequest request, Request("GET", path));
  request.headers["Accept"] = "*/*";
  request.timeout = absl::Minutes(5);
  request.stall = absl::Minutes(1);
  request.max_bytes = int64_t{1} << 40;
  ASSIGN_OR_RETURN(std::unique_ptr<net::HttpStream> stream, http_->Open(request));
  if (stream->status() == 200) return stream;
  std::string body;
  while (body.size() < 4096) {
    ASSIGN_OR_RETURN(const absl::string_view piece, stream->Read());
    if (piece.empty()) break;
    body.append(piece.data(), piece.size());
  }
  return ErrorOf(stream->status(), body);
}

}  // namespace chartly::kube
