// Functions that take text and give text, or null.
#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/normalize/function.h"
#include "common/normalize/regex.h"
#include "common/status/status.h"
#include "common/text/utf8.h"

namespace chartly {
namespace {

using Arguments = std::vector<std::string>;

constexpr int64_t kMaxCount = 100'000;

absl::Status Wrong(absl::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument, "FUNCTION_ARGUMENTS_INVALID", message);
}

absl::StatusOr<size_t> CountArgument(const std::string& text) {
  int64_t count = 0;
  if (!absl::SimpleAtoi(text, &count) || count < 0 || count > kMaxCount) {
    return Wrong(absl::StrCat("\"", text.substr(0, 64), "\" is not a whole number from 0 to ", kMaxCount));
  }
  return static_cast<size_t>(count);
}

absl::StatusOr<FunctionPtr> MakeTrim(const Arguments&) {
  return MakeTextFunction(
      [](absl::string_view text, Scratch&, Cell& cell) { cell.SetText(absl::StripAsciiWhitespace(text)); });
}

template <char (*kConvert)(unsigned char)>
absl::StatusOr<FunctionPtr> MakeCase(const Arguments&) {
  return MakeTextFunction([](absl::string_view text, Scratch& scratch, Cell& cell) {
    std::string& out = scratch.Next();
    for (char c : text) out += kConvert(static_cast<unsigned char>(c));
    cell.SetText(out);
  });
}

absl::StatusOr<FunctionPtr> MakeStripPrefix(const Arguments& arguments) {
  return MakeTextFunction([prefix = arguments[0]](absl::string_view text, Scratch&, Cell& cell) {
    cell.SetText(absl::StripPrefix(text, prefix));
  });
}

absl::StatusOr<FunctionPtr> MakeStripSuffix(const Arguments& arguments) {
  return MakeTextFunction([suffix = arguments[0]](absl::string_view text, Scratch&, Cell& cell) {
    cell.SetText(absl::StripSuffix(text, suffix));
  });
}

absl::StatusOr<FunctionPtr> MakeReplace(const Arguments& arguments) {
  if (arguments[0].empty()) return Wrong("the text to replace is empty");
  return MakeTextFunction(
      [from = arguments[0], to = arguments[1]](absl::string_view text, Scratch& scratch, Cell& cell) {
        std::string& out = scratch.Next();
        for (size_t at = 0; at <= text.size();) {
          size_t next = std::min(text.find(from, at), text.size());
          out.append(text.data() + at, next - at);
          if (next == text.size()) break;
          out += to;
          at = next + from.size();
        }
        cell.SetText(out);
      });
}

absl::StatusOr<FunctionPtr> MakePadLeft(const Arguments& arguments) {
  absl::StatusOr<size_t> width = CountArgument(arguments[0]);
  if (!width.ok()) return width.status();
  if (*width > 1000) return Wrong("the width is at most 1000");
  if (CountCharacters(arguments[1]) != 1) return Wrong("the filling is one character");
  return MakeTextFunction(
      [width = *width, filling = arguments[1]](absl::string_view text, Scratch& scratch, Cell& cell) {
        size_t length = CountCharacters(text);
        if (length >= width) return cell.SetText(text);
        std::string& out = scratch.Next();
        for (; length < width; ++length) out += filling;
        out.append(text.data(), text.size());
        cell.SetText(out);
      });
}

absl::StatusOr<FunctionPtr> MakeSubstring(const Arguments& arguments) {
  absl::StatusOr<size_t> start = CountArgument(arguments[0]);
  if (!start.ok()) return start.status();
  absl::StatusOr<size_t> length =
      arguments.size() > 1 ? CountArgument(arguments[1]) : absl::StatusOr<size_t>(kMaxCount);
  if (!length.ok()) return length.status();
  return MakeTextFunction([start = *start, length = *length](absl::string_view text, Scratch&, Cell& cell) {
    text.remove_prefix(SkipCharacters(text, start));
    cell.SetText(text.substr(0, SkipCharacters(text, length)));
  });
}

absl::StatusOr<FunctionPtr> MakeRegex(const Arguments& arguments) {
  absl::StatusOr<std::shared_ptr<const re2::RE2>> regex = CompileRegex(arguments[0]);
  if (!regex.ok()) return regex.status();
  int group = std::min((*regex)->NumberOfCapturingGroups(), 1);
  return MakeTextFunction([regex = *regex, group](absl::string_view text, Scratch&, Cell& cell) {
    re2::StringPiece found[2];
    bool matches = regex->Match(Piece(text), 0, text.size(), re2::RE2::UNANCHORED, found, group + 1);
    if (!matches || found[group].data() == nullptr) return cell.SetNull();
    cell.SetText(absl::string_view(found[group].data(), found[group].size()));
  });
}

absl::StatusOr<FunctionPtr> MakeSplit(const Arguments& arguments) {
  if (arguments[0].empty()) return Wrong("the separator is empty");
  absl::StatusOr<size_t> index = CountArgument(arguments[1]);
  if (!index.ok()) return index.status();
  return MakeTextFunction([separator = arguments[0], index = *index](absl::string_view text, Scratch&, Cell& cell) {
    for (size_t i = 0; i < index; ++i) {
      size_t at = text.find(separator);
      if (at == text.npos) return cell.SetNull();
      text.remove_prefix(at + separator.size());
    }
    cell.SetText(text.substr(0, text.find(separator)));
  });
}

absl::StatusOr<FunctionPtr> MakeNullIf(const Arguments& arguments) {
  return MakeFunction([arguments](Cell& cell, Scratch& scratch) {
    absl::string_view text = CellText(cell, scratch);
    bool found = std::any_of(arguments.begin(), arguments.end(), [&](const std::string& null) { return text == null; });
    if (found) cell.SetNull();
    return absl::OkStatus();
  });
}

}  // namespace

std::vector<FunctionSpec> TextFunctions() {
  return {
      {"trim", 0, 0, "`trim`: without the blanks at both ends", MakeTrim},
      {"lower", 0, 0, "`lower`: ASCII letters in lower case", MakeCase<absl::ascii_tolower>},
      {"upper", 0, 0, "`upper`: ASCII letters in upper case", MakeCase<absl::ascii_toupper>},
      {"strip_prefix", 1, 1, "`strip_prefix X`: without X at its start, if it is there", MakeStripPrefix},
      {"strip_suffix", 1, 1, "`strip_suffix X`: without X at its end, if it is there", MakeStripSuffix},
      {"replace", 2, 2, "`replace A B`: B for every A", MakeReplace},
      {"pad_left", 2, 2, "`pad_left N C`: filled with the character C at its start to N characters", MakePadLeft},
      {"substring", 1, 2, "`substring START LEN`: LEN characters (all if left out) from START, counted from 0",
       MakeSubstring},
      {"regex", 1, 1, "`regex PATTERN`: the first group of the first match, or the whole match; null without one",
       MakeRegex},
      {"split", 2, 2, "`split SEP INDEX`: the part of that number, counted from 0; null if there are fewer", MakeSplit},
      {"null_if", 1, 100, "`null_if X...`: null if it is one of the texts given", MakeNullIf},
  };
}

}  // namespace chartly
