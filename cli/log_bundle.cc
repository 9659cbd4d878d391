#include "cli/log_bundle.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "re2/re2.h"

namespace chartly::cli {
namespace {

absl::Status Unwritable(const std::string& path, absl::string_view why) {
  return Error(absl::StatusCode::kFailedPrecondition, "FOLDER_UNWRITABLE",
               absl::StrCat("cannot write ", path, ": ", why), {{"file", path}});
}

// As the programs of Chartly log it, or as JSON.
std::string RequestIdOf(const std::string& line) {
  static const RE2* const kField = new RE2(R"re(request_id"?\s*[=:]\s*"?([A-Za-z0-9._:-]{1,128}))re");
  std::string id;
  RE2::PartialMatch(line, *kField, &id);
  return id;
}

}  // namespace

struct LogBundle::Lines {
  std::deque<std::string> kept;
  int64_t bytes = 0;    // of those kept
  int64_t dropped = 0;  // lines that were pushed out
  int64_t cut = 0;      // lines that were too long
};

LogBundle::LogBundle(std::string folder, int64_t share, LogRedactor redactor)
    : folder_(std::move(folder)), share_(share), redactor_(std::move(redactor)) {}

absl::StatusOr<std::unique_ptr<LogBundle>> LogBundle::Create(const std::string& folder, int64_t share,
                                                             LogRedactor redactor) {
  if (::mkdir(folder.c_str(), 0700) == 0) {
    return std::unique_ptr<LogBundle>(new LogBundle(folder, share, std::move(redactor)));
  }
  if (errno != EEXIST) return Unwritable(folder, std::strerror(errno));
  return Error(absl::StatusCode::kAlreadyExists, "FOLDER_EXISTS",
               absl::StrCat(folder, " is there already; name another with --out"), {{"file", folder}});
}

void LogBundle::Take(absl::string_view line, const std::string& name, Lines& lines) {
  if (line.size() > kLogLineMax) {
    line = line.substr(0, kLogLineMax);
    ++lines.cut;
  }
  std::string text = redactor_.Redact(line);
  if (const std::string id = RequestIdOf(text); !id.empty()) {
    auto known = requests_.find(id);
    if (known != requests_.end()) {
      known->second.insert(name);
    } else if (requests_.size() < kBundleRequestsMax) {
      requests_[id].insert(name);
    } else {
      ++requests_left_out_;
    }
  }
  text += '\n';
  lines.bytes += static_cast<int64_t>(text.size());
  lines.kept.push_back(std::move(text));
  while (lines.bytes > share_ && !lines.kept.empty()) {
    lines.bytes -= static_cast<int64_t>(lines.kept.front().size());
    lines.kept.pop_front();
    ++lines.dropped;
  }
}

absl::Status LogBundle::Write(const std::string& name, const std::string& text) const {
  const std::filesystem::path path = std::filesystem::path(folder_) / name;
  std::error_code fault;
  std::filesystem::create_directories(path.parent_path(), fault);
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  return file ? absl::OkStatus() : Unwritable(path.string(), std::strerror(errno));
}

absl::Status LogBundle::Add(const std::string& name, Json about, const Pieces& next) {
  redactor_.Begin();
  const int64_t redacted_before = redactor_.count();
  Lines lines;
  std::string rest;
  absl::Status broken;
  bool cutting = false;  // what comes up to the next line break belongs to a line that is cut
  while (true) {
    const absl::StatusOr<absl::string_view> piece = next();
    if (!piece.ok()) broken = piece.status();
    if (!piece.ok() || piece->empty()) break;
    for (absl::string_view left = *piece; !left.empty();) {
      const size_t end = left.find('\n');
      if (!cutting) rest.append(left.data(), std::min(end, left.size()));
      left = end == absl::string_view::npos ? absl::string_view() : left.substr(end + 1);
      if (end == absl::string_view::npos && rest.size() <= kLogLineMax) continue;
      if (!cutting) Take(rest, name, lines);
      cutting = end == absl::string_view::npos;
      rest.clear();
    }
  }
  if (!rest.empty()) Take(rest, name, lines);
  about.Set("file", Json::Text(name))
      .Set("lines", Json::Integer(static_cast<int64_t>(lines.kept.size())))
      .Set("bytes", Json::Integer(lines.bytes))
      .Set("older_lines_left_out", Json::Integer(lines.dropped))
      .Set("long_lines_cut", Json::Integer(lines.cut))
      .Set("redacted", Json::Integer(redactor_.count() - redacted_before));
  if (!broken.ok()) about.Set("error", Json::Text(std::string(broken.message())));
  logs_.Add(std::move(about));
  std::string text;
  for (const std::string& line : lines.kept) text += line;
  return Write(name, text);
}

void LogBundle::AddMissing(const std::string& name, Json about, const absl::Status& why) {
  about.Set("file", Json()).Set("name", Json::Text(name)).Set("error", Json::Text(std::string(why.message())));
  logs_.Add(std::move(about));
}

absl::StatusOr<Json> LogBundle::Finish(Json head) {
  Json requests = Json::Array();
  for (const auto& [id, names] : requests_) {
    Json files = Json::Array();
    for (const std::string& name : names) files.Add(Json::Text(name));
    requests.Add(Json::Object().Set("request_id", Json::Text(id)).Set("files", std::move(files)));
  }
  head.Set("redacted", Json::Integer(redactor_.count()));
  head.Set("logs", std::move(logs_)).Set("requests", std::move(requests));
  head.Set("requests_left_out", Json::Integer(requests_left_out_));
  RETURN_IF_ERROR(Write("bundle.json", head.ToText() + "\n"));
  return head;
}

}  // namespace chartly::cli
