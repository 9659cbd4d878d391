#include "common/s3/bucket.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <random>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "common/clock/steady_clock.h"
#include "common/handle/handle.h"
#include "common/net/url.h"
#include "common/s3/answer_text.h"
#include "common/status/status.h"
#include "common/text/sha256.h"

namespace chartly::s3 {
namespace {

using File = std::unique_ptr<std::FILE, FreedBy<std::fclose>>;

constexpr int kAttempts = 4;
constexpr absl::Duration kPause = absl::Milliseconds(250);  // doubled each time
constexpr absl::Duration kTimeout = absl::Minutes(5);
constexpr int64_t kMaxPieces = 10'000;
constexpr int64_t kMaxText = int64_t{64} << 20;

absl::Status UrlInvalid(const std::string& url) {
  return Error(absl::StatusCode::kInvalidArgument, "S3_URL_INVALID",
               absl::StrCat("'", url, "' is no https://HOST[:PORT]/BUCKET[/PREFIX] (http goes to loopback alone)"));
}

absl::Status FileError(const std::string& path) {
  return Error(absl::StatusCode::kUnavailable, "S3_FILE_FAILED",
               absl::StrCat(path, " cannot be read or written: ", std::strerror(errno)), {{"path", path}});
}

absl::Status AnswerInvalid(absl::string_view what) {
  return Error(absl::StatusCode::kInvalidArgument, "S3_ANSWER_INVALID", absl::StrCat("the object store ", what));
}

bool IsLoopback(absl::string_view host) { return host == "127.0.0.1" || host == "::1" || host == "localhost"; }

// Letters alone: it goes into messages.
std::string CodeOf(const net::HttpResponse& response) {
  const absl::StatusOr<AnswerText> answer = AnswerText::Parse(response.body);
  std::string code = answer.ok() ? answer->First("Code") : "";
  const bool plain = std::all_of(code.begin(), code.end(), [](unsigned char c) { return absl::ascii_isalnum(c); });
  return code.empty() || !plain || code.size() > 64 ? absl::StrCat("status ", response.status) : code;
}

absl::Status Refusal(const net::HttpResponse& response) {
  const std::string code = CodeOf(response);
  if (code == "NoSuchBucket") {
    return Error(absl::StatusCode::kNotFound, "S3_BUCKET_NOT_FOUND",
                 "the object store has no such bucket; make it, or check the address");
  }
  if (response.status == 404) return Error(absl::StatusCode::kNotFound, "S3_OBJECT_NOT_FOUND", "no such object");
  if (response.status >= 500 || response.status == 429) {
    return Error(absl::StatusCode::kUnavailable, "S3_UNREACHABLE", absl::StrCat("the object store is busy: ", code));
  }
  return Error(absl::StatusCode::kPermissionDenied, "S3_REFUSED",
               absl::StrCat("the object store refused: ", code,
                            "; check the credentials, what they may do, the region, and the clock of this host"));
}

// What came in the header of an answer without one that can be told apart.
bool IsWhole(const net::HttpResponse& response) { return response.status >= 200 && response.status < 300; }

absl::StatusOr<std::string> ReadPiece(std::FILE* file, int64_t bytes, const std::string& path) {
  std::string piece(static_cast<size_t>(bytes), '\0');
  piece.resize(std::fread(piece.data(), 1, piece.size(), file));
  if (std::ferror(file) != 0) return FileError(path);
  return piece;
}

}  // namespace

Bucket::Bucket(BucketConfig config, Place place, std::unique_ptr<net::HttpClient> http, Clock& clock,
               const std::atomic<bool>& cancel)
    : config_(std::move(config)), place_(std::move(place)), http_(std::move(http)), clock_(clock), cancel_(cancel) {}

absl::StatusOr<Bucket::Place> Bucket::PlaceOf(const std::string& url) {
  const absl::StatusOr<net::UrlParts> parts = net::SplitUrl(url);
  if (!parts.ok() || parts->has_query || !parts->fragment.empty() || absl::StrContains(parts->authority, '@')) {
    return UrlInvalid(url);
  }
  if (parts->scheme != "https" && !IsLoopback(net::HostOf(*parts))) return UrlInvalid(url);
  const std::string path(absl::StripSuffix(absl::StripPrefix(parts->path, "/"), "/"));
  const size_t slash = path.find('/');
  Place place{absl::StrCat(parts->scheme, "://", parts->authority), parts->authority, path.substr(0, slash), ""};
  if (place.bucket.empty()) return UrlInvalid(url);
  if (slash != std::string::npos) place.prefix = path.substr(slash + 1) + "/";
  return place;
}

absl::StatusOr<std::unique_ptr<Bucket>> Bucket::Open(const BucketConfig& config, Clock& clock,
                                                     const std::atomic<bool>& cancel) {
  ASSIGN_OR_RETURN(Place place, PlaceOf(config.url));
  std::string authorities;
  if (!config.ca_file.empty()) {
    ASSIGN_OR_RETURN(authorities, net::ReadAuthorities(config.ca_file));
  }
  // The address comes from this process's own flags, not from a request, so every range is allowed.
  return std::unique_ptr<Bucket>(new Bucket(
      config, std::move(place), net::MakeHttpClient(net::EgressPolicy::AllowAll(), authorities), clock, cancel));
}

std::string Bucket::PathOf(absl::string_view key) const {
  return absl::StrCat("/", Encode(absl::StrCat(place_.bucket, "/", place_.prefix, key), true));
}

absl::StatusOr<net::HttpRequest> Bucket::Signed(const Call& call, const std::string& body) const {
  ASSIGN_OR_RETURN(const Credentials credentials, ReadCredentials(config_.credentials_file));
  const std::string query = QueryOf(call);
  net::HttpRequest request;
  request.method = call.method;
  request.url = absl::StrCat(place_.origin, call.path, query.empty() ? "" : "?", query);
  request.headers = Sign(call, credentials, config_.region, clock_.Now());
  request.headers["Content-Type"] = "application/octet-stream";
  if (body.empty() && call.method != "GET") request.headers["Content-Length"] = "0";
  request.body = body;
  request.timeout = kTimeout;
  request.max_bytes = kMaxText;
  request.max_redirects = 0;
  request.cancel = &cancel_;
  return request;
}

absl::Status Bucket::Pause(int attempt) const {
  const absl::Time end = SteadyNow() + kPause * (1 << attempt);
  while (SteadyNow() < end) {
    if (cancel_) return absl::CancelledError("stopped");
    absl::SleepFor(absl::Milliseconds(20));
  }
  return absl::OkStatus();
}

absl::StatusOr<net::HttpResponse> Bucket::AskOnce(const Call& call, const std::string& body) {
  ASSIGN_OR_RETURN(const net::HttpRequest request, Signed(call, body));
  absl::StatusOr<net::HttpResponse> response = http_->Send(request);
  if (!response.ok()) {
    if (cancel_) return absl::CancelledError("stopped");
    return Error(absl::StatusCode::kUnavailable, "S3_UNREACHABLE",
                 absl::StrCat("the object store does not answer: ", response.status().message()));
  }
  if (!IsWhole(*response)) return Refusal(*response);
  // The end of an upload in pieces says 200 before it knows whether it goes well.
  if (absl::StrContains(response->body.substr(0, 512), "<Error>")) {
    return Error(absl::StatusCode::kUnavailable, "S3_UNREACHABLE",
                 absl::StrCat("the object store gave up: ", CodeOf(*response)));
  }
  return response;
}

absl::StatusOr<net::HttpResponse> Bucket::Ask(Call call, const std::string& body) {
  call.host = place_.host;
  if (!body.empty()) call.payload_sha256 = Sha256Hex(body);
  for (int attempt = 0;; ++attempt) {
    absl::StatusOr<net::HttpResponse> response = AskOnce(call, body);
    if (!absl::IsUnavailable(response.status()) || attempt + 1 == kAttempts) return response;
    RETURN_IF_ERROR(Pause(attempt));
  }
}

absl::Status Bucket::Put(const std::string& key, const std::string& content) {
  return Annotate(Ask({.method = "PUT", .path = PathOf(key)}, content).status(), key);
}

absl::Status Bucket::PutFile(const std::string& key, const std::string& path) {
  std::error_code error;
  const auto bytes = static_cast<int64_t>(std::filesystem::file_size(path, error));
  errno = error.value();
  if (error) return FileError(path);
  if (bytes > config_.piece_bytes) return Annotate(PutPieces(key, path, bytes), key);
  const File file(std::fopen(path.c_str(), "rbe"));
  if (file == nullptr) return FileError(path);
  ASSIGN_OR_RETURN(const std::string content, ReadPiece(file.get(), bytes, path));
  return Put(key, content);
}

absl::Status Bucket::PutPieces(const std::string& key, const std::string& path, int64_t bytes) {
  const File file(std::fopen(path.c_str(), "rbe"));
  if (file == nullptr) return FileError(path);
  ASSIGN_OR_RETURN(const net::HttpResponse begun,
                   Ask({.method = "POST", .path = PathOf(key), .query = {{"uploads", ""}}}));
  ASSIGN_OR_RETURN(const AnswerText answer, AnswerText::Parse(begun.body));
  const std::string upload = answer.First("UploadId");
  // Without it each piece would be a whole object, and giving the upload up would delete what is there.
  if (upload.empty()) return AnswerInvalid("began an upload without a name for it");
  const int64_t piece_bytes = std::max(config_.piece_bytes, (bytes + kMaxPieces - 1) / kMaxPieces);
  std::string pieces = "<CompleteMultipartUpload>";
  absl::Status status;
  for (int number = 1; status.ok() && int64_t{number - 1} * piece_bytes < bytes; ++number) {
    absl::StatusOr<std::string> piece = ReadPiece(file.get(), piece_bytes, path);
    status = piece.status();
    if (!status.ok()) break;
    const absl::StatusOr<net::HttpResponse> sent = Ask(
        {.method = "PUT", .path = PathOf(key), .query = {{"partNumber", absl::StrCat(number)}, {"uploadId", upload}}},
        *piece);
    status = sent.status();
    if (!status.ok()) break;
    const auto tag = sent->headers.find("etag");
    absl::StrAppend(&pieces, "<Part><PartNumber>", number, "</PartNumber><ETag>",
                    tag == sent->headers.end() ? "" : tag->second, "</ETag></Part>");
  }
  if (status.ok()) {
    status = Ask({.method = "POST", .path = PathOf(key), .query = {{"uploadId", upload}}},
                 pieces + "</CompleteMultipartUpload>")
                 .status();
  }
  // What was begun costs money until it is given up; if that fails, too, the bucket's own rule has to see to it.
  if (!status.ok()) Ask({.method = "DELETE", .path = PathOf(key), .query = {{"uploadId", upload}}}).IgnoreError();
  return status;
}

absl::StatusOr<std::string> Bucket::Get(const std::string& key) {
  absl::StatusOr<net::HttpResponse> response = Ask({.method = "GET", .path = PathOf(key)});
  if (!response.ok()) return Annotate(response.status(), key);
  return std::move(response->body);
}

absl::Status Bucket::Receive(const Call& call, const std::string& path) {
  ASSIGN_OR_RETURN(net::HttpRequest request, Signed(call, ""));
  request.max_bytes = int64_t{1} << 50;
  const absl::StatusOr<std::unique_ptr<net::HttpStream>> stream = http_->Open(request);
  if (!stream.ok()) {
    return Error(absl::StatusCode::kUnavailable, "S3_UNREACHABLE",
                 absl::StrCat("the object store does not answer: ", stream.status().message()));
  }
  if ((*stream)->status() != 200) return Refusal({(*stream)->status(), {}, "", ""});
  const File file(std::fopen(path.c_str(), "wbe"));
  if (file == nullptr) return FileError(path);
  while (true) {
    const absl::StatusOr<absl::string_view> piece = (*stream)->Read();
    if (!piece.ok()) {
      return Error(absl::StatusCode::kUnavailable, "S3_UNREACHABLE",
                   absl::StrCat("the object store broke off: ", piece.status().message()));
    }
    if (piece->empty()) break;
    if (std::fwrite(piece->data(), 1, piece->size(), file.get()) != piece->size()) return FileError(path);
  }
  if (std::fflush(file.get()) != 0 || ::fsync(::fileno(file.get())) != 0) return FileError(path);
  return absl::OkStatus();
}

absl::Status Bucket::GetFile(const std::string& key, const std::string& path) {
  // Nobody else writes there: the jobs that restore a cluster fetch into one folder at once.
  std::random_device random;
  const std::string unfinished = absl::StrCat(path, ".part.", absl::Hex(random(), absl::kZeroPad8));
  absl::Status status;
  for (int attempt = 0;; ++attempt) {
    status = Receive({.method = "GET", .host = place_.host, .path = PathOf(key)}, unfinished);
    if (cancel_) status = absl::CancelledError("stopped");
    if (!absl::IsUnavailable(status) || attempt + 1 == kAttempts) break;
    RETURN_IF_ERROR(Pause(attempt));
  }
  std::error_code error;
  if (status.ok()) {
    std::filesystem::rename(unfinished, path, error);
    if (!error) return absl::OkStatus();
    errno = error.value();
    status = FileError(path);
  }
  std::filesystem::remove(unfinished, error);
  return Annotate(status, key);
}

absl::StatusOr<std::vector<Object>> Bucket::List(const std::string& begin) {
  std::vector<Object> objects;
  std::string token;
  do {
    Call call{.method = "GET",
              .path = absl::StrCat("/", Encode(place_.bucket, true)),
              .query = {{"list-type", "2"}, {"prefix", place_.prefix + begin}}};
    if (!token.empty()) call.query["continuation-token"] = token;
    ASSIGN_OR_RETURN(const net::HttpResponse response, Ask(std::move(call)));
    ASSIGN_OR_RETURN(const AnswerText answer, AnswerText::Parse(response.body));
    for (const auto& [name, text] : answer.elements()) {
      if (name == "Key" && absl::StartsWith(text, place_.prefix)) {
        objects.push_back({text.substr(place_.prefix.size()), 0});
      } else if (name == "Size" && !objects.empty()) {
        if (!absl::SimpleAtoi(text, &objects.back().bytes)) objects.back().bytes = -1;
      }
    }
    std::string next = answer.First("IsTruncated") == "true" ? answer.First("NextContinuationToken") : "";
    if (!next.empty() && next == token) return AnswerInvalid("lists the same part of the bucket again and again");
    token = std::move(next);
  } while (!token.empty());
  return objects;
}

absl::Status Bucket::Delete(const std::string& key) {
  const absl::Status status = Ask({.method = "DELETE", .path = PathOf(key)}).status();
  return Reason(status) == "S3_OBJECT_NOT_FOUND" ? absl::OkStatus() : Annotate(status, key);
}

}  // namespace chartly::s3
