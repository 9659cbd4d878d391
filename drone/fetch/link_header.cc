#include "drone/fetch/link_header.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"

namespace chartly::drone {
namespace {

// Reads a header from front to back. Every Take moves past what it read.
class Reader {
 public:
  explicit Reader(absl::string_view text) : rest_(text) {}

  bool at_end() {
    SkipBlanks();
    return rest_.empty();
  }
  bool Take(char c) {
    SkipBlanks();
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::optional<std::string> TakeUntil(char end) {
    size_t size = rest_.find(end);
    if (size == rest_.npos) return std::nullopt;
    std::string text(rest_.substr(0, size));
    rest_.remove_prefix(size + 1);
    return text;
  }
  std::string TakeToken() {
    SkipBlanks();
    size_t size = std::min(rest_.size(), rest_.find_first_of("=;, \t"));
    std::string token(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return token;
  }
  // A token, or a text in quotes with \ before what is meant as it is.
  std::optional<std::string> TakeValue() {
    if (!Take('"')) return TakeToken();
    std::string value;
    while (!rest_.empty()) {
      char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') return value;
      if (c == '\\' && !rest_.empty()) {
        c = rest_.front();
        rest_.remove_prefix(1);
      }
      value.push_back(c);
    }
    return std::nullopt;
  }

 private:
  void SkipBlanks() { rest_ = absl::StripLeadingAsciiWhitespace(rest_); }
  absl::string_view rest_;
};

struct Link {
  std::string target;
  std::string relations;  // separated by blanks
};

std::optional<Link> TakeLink(Reader& reader) {
  if (!reader.Take('<')) return std::nullopt;
  std::optional<std::string> target = reader.TakeUntil('>');
  if (!target) return std::nullopt;
  Link link{*std::move(target), ""};
  bool has_relation = false;
  while (reader.Take(';')) {
    std::string name = reader.TakeToken();
    std::string value;
    if (reader.Take('=')) {
      std::optional<std::string> taken = reader.TakeValue();
      if (!taken) return std::nullopt;
      value = *std::move(taken);
    }
    // Of several the first counts.
    if (absl::EqualsIgnoreCase(name, "rel") && !std::exchange(has_relation, true)) link.relations = value;
  }
  return link;
}

}  // namespace

std::optional<std::string> FindLink(absl::string_view header, absl::string_view relation) {
  Reader reader(header);
  while (!reader.at_end()) {
    if (reader.Take(',')) continue;
    std::optional<Link> link = TakeLink(reader);
    if (!link) return std::nullopt;
    for (absl::string_view name : absl::StrSplit(link->relations, absl::ByAnyChar(" \t"), absl::SkipEmpty())) {
      if (absl::EqualsIgnoreCase(name, relation)) return std::move(link->target);
    }
  }
  return std::nullopt;
}

}  // namespace chartly::drone
