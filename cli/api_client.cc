#include "cli/api_client.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

absl::StatusCode CodeOf(int http_status) {
  switch (http_status) {
    case 400:
      return absl::StatusCode::kInvalidArgument;
    case 401:
      return absl::StatusCode::kUnauthenticated;
    case 403:
      return absl::StatusCode::kPermissionDenied;
    case 404:
      return absl::StatusCode::kNotFound;
    case 409:
      return absl::StatusCode::kAlreadyExists;
    case 412:
      return absl::StatusCode::kFailedPrecondition;
    case 429:
      return absl::StatusCode::kResourceExhausted;
    case 502:
    case 503:
    case 504:
      return absl::StatusCode::kUnavailable;
    default:
      return absl::StatusCode::kUnknown;
  }
}

// Turns {"error":{"code","message","reason",...}} into a status; whatever else came is quoted.
absl::Status ErrorOf(const net::HttpRequest& request, int http_status, const std::string& body) {
  absl::StatusOr<Json> document = Json::Parse(body);
  if (document.ok() && !(*document)["error"].is_null()) {
    const Json& error = (*document)["error"];
    std::string message = error["message"].text();
    std::string reason = error["reason"].text();
    if (http_status >= 500 && !error["request_id"].is_null()) {
      absl::StrAppend(&message, " (request ", error["request_id"].text(), ")");
    }
    return Error(CodeOf(http_status), reason, message);
  }
  return Error(CodeOf(http_status), "HTTP_STATUS",
               absl::StrCat(request.method, " ", request.url, " answered ", http_status, ": ", body.substr(0, 200)));
}

absl::Status Unreachable(const std::string& url, const absl::Status& status) {
  return Error(absl::StatusCode::kUnavailable, Reason(status),
               absl::StrCat("no answer from ", url, ": ", status.message(),
                            "; is the control plane up (./dev up), and is CHARTLY_URL right?"));
}

// Cuts a stream into lines and hands on what stands behind "data:".
class EventReader {
 public:
  explicit EventReader(const std::function<bool(const Json&)>& take) : take_(take) {}
  bool Feed(absl::string_view piece) {
    buffer_.append(piece.data(), piece.size());
    size_t end = 0;
    while ((end = buffer_.find('\n')) != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      if (!TakeLine(line)) return false;
    }
    return true;
  }

 private:
  bool TakeLine(absl::string_view line) {
    if (!absl::ConsumePrefix(&line, "data:")) return true;
    absl::StatusOr<Json> event = Json::Parse(line);
    if (!event.ok()) return true;
    stopped_ = !take_(*event);
    return !stopped_;
  }

  const std::function<bool(const Json&)>& take_;
  std::string buffer_;
  bool stopped_ = false;
};

}  // namespace

std::string PercentEncode(absl::string_view text) {
  std::string out;
  for (char c : text) {
    bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
                 c == '_' || c == '~';
    if (plain) {
      out.push_back(c);
    } else {
      absl::StrAppendFormat(&out, "%%%02X", static_cast<unsigned char>(c));
    }
  }
  return out;
}

absl::StatusOr<std::unique_ptr<ApiClient>> ApiClient::Create(absl::string_view url, absl::string_view key,
                                                             const std::string& authorities) {
  if (!absl::StartsWith(url, "http://") && !absl::StartsWith(url, "https://")) {
    return Error(absl::StatusCode::kInvalidArgument, "URL_INVALID",
                 absl::StrCat("\"", url, "\" is not an address of a control plane; write it as ", kDefaultUrl));
  }
  return std::unique_ptr<ApiClient>(
      new ApiClient(std::string(absl::StripSuffix(url, "/")), std::string(key), authorities));
}

ApiClient::ApiClient(std::string url, std::string key, const std::string& authorities)
    : url_(std::move(url)),
      key_(std::move(key)),
      http_(net::MakeHttpClient(net::EgressPolicy::AllowAll(), authorities)) {}

net::HttpRequest ApiClient::Request(const std::string& method, const std::string& path, const Query& query) const {
  net::HttpRequest request;
  request.method = method;
  request.url = absl::StrCat(url_, path);
  char separator = '?';
  for (const auto& [name, value] : query) {
    if (value.empty()) continue;
    absl::StrAppend(&request.url, std::string(1, separator), name, "=", PercentEncode(value));
    separator = '&';
  }
  request.headers["Accept"] = "application/json";
  if (!key_.empty()) request.headers["X-API-Key"] = key_;
  // The key goes to the address that was given and nowhere else.
  request.max_redirects = 0;
  return request;
}

absl::StatusOr<Json> ApiClient::Send(const net::HttpRequest& request) {
  absl::StatusOr<net::HttpResponse> response = http_->Send(request);
  if (!response.ok()) return Unreachable(url_, response.status());
  if (response->status < 200 || response->status > 299) return ErrorOf(request, response->status, response->body);
  if (response->body.empty()) return Json::Object();
  absl::StatusOr<Json> document = Json::Parse(response->body);
  if (document.ok()) return document;
  return Error(absl::StatusCode::kUnknown, "ANSWER_NOT_JSON",
               absl::StrCat(url_, " does not answer in JSON; is it a control plane?"));
}

absl::StatusOr<Json> ApiClient::Get(const std::string& path, const Query& query) {
  return Send(Request("GET", path, query));
}

absl::StatusOr<Json> ApiClient::Post(const std::string& path, const Json& body) {
  net::HttpRequest request = Request("POST", path, {});
  request.headers["Content-Type"] = "application/json";
  request.body = body.ToText();
  return Send(request);
}

absl::StatusOr<Json> ApiClient::Put(const std::string& path, const Json& body) {
  net::HttpRequest request = Request("PUT", path, {});
  request.headers["Content-Type"] = "application/json";
  request.body = body.ToText();
  return Send(request);
}

absl::StatusOr<Json> ApiClient::Delete(const std::string& path) { return Send(Request("DELETE", path, {})); }

absl::StatusOr<Json> ApiClient::SendProfile(const std::string& method, const std::string& path,
                                            const std::string& filename, const std::string& text, const Query& query) {
  Query all = query;
  all.emplace_back("filename", filename);
  net::HttpRequest request = Request(method, path, all);
  request.headers["Content-Type"] = "application/yaml";
  request.body = text;
  return Send(request);
}

absl::StatusOr<Json> ApiClient::PostBytes(const std::string& path, const std::map<std::string, std::string>& headers,
                                          const std::string& body) {
  net::HttpRequest request = Request("POST", path, {});
  for (const auto& [name, value] : headers) request.headers[name] = value;
  request.body = body;
  return Send(request);
}

absl::StatusOr<bool> ApiClient::GetPages(const std::string& path, Query query, const std::string& field,
                                         const std::function<bool(const Json& entry)>& take) {
  query.emplace_back("page_token", "");
  while (true) {
    ASSIGN_OR_RETURN(Json page, Get(path, query));
    const std::vector<Json>& entries = page[field].items();
    for (const Json& entry : entries) {
      if (!take(entry)) return true;
    }
    query.back().second = page["next_page_token"].text();
    if (query.back().second.empty()) return false;
  }
}

absl::Status ApiClient::ReadStream(net::HttpRequest request, absl::FunctionRef<bool(absl::string_view piece)> take,
                                   absl::FunctionRef<absl::Status(const absl::Status&)> broken) {
  request.timeout = absl::InfiniteDuration();
  request.stall = absl::InfiniteDuration();
  request.max_bytes = int64_t{1} << 60;
  absl::StatusOr<std::unique_ptr<net::HttpStream>> stream = http_->Open(request);
  if (!stream.ok()) return Unreachable(url_, stream.status());
  const bool is_stream = (*stream)->status() == 200;
  std::string error_body;
  while (true) {
    absl::StatusOr<absl::string_view> piece = (*stream)->Read();
    if (!piece.ok()) return broken(piece.status());
    if (piece->empty()) break;
    if (!is_stream) error_body.append(piece->data(), piece->size());
    if (is_stream && !take(*piece)) return absl::OkStatus();
  }
  return is_stream ? absl::OkStatus() : ErrorOf(request, (*stream)->status(), error_body);
}

absl::Status ApiClient::Download(const std::string& path, const Query& query,
                                 const std::function<bool(absl::string_view piece)>& take) {
  net::HttpRequest request = Request("GET", path, query);
  request.headers["Accept"] = "*/*";
  return ReadStream(request, take, [this](const absl::Status& status) {
    return Error(absl::StatusCode::kDataLoss, "BODY_BROKEN_OFF",
                 absl::StrCat("the answer of ", url_, " broke off (", status.message(),
                              "); what came is not whole. The log of the control plane tells why"));
  });
}

absl::Status ApiClient::Follow(const std::string& path, const std::function<bool(const Json& event)>& take) {
  net::HttpRequest request = Request("GET", path, {});
  request.headers["Accept"] = "text/event-stream";
  EventReader reader(take);
  return ReadStream(
      request, [&](absl::string_view piece) { return reader.Feed(piece); },
      [this](const absl::Status& status) { return Unreachable(url_, status); });
}

}  // namespace chartly::cli
