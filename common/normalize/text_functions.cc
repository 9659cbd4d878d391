// Functions that take text and give text, or null.
#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/normalize/function.h"
#include "common/normalize/regex.h"
#include "common/text/utf8.h"

namespace chartly {
namespace {

using Arguments = std::vector<std::string>;

constexpr int64_t kMaxCount = 100'000;

absl::StatusOr<size_t> CountArgument(const std::string& text) {
  int64_t count = 0;
  if (!absl::SimpleAtoi(text, &count) || count < 0 || count > kMaxCount) {
    return WrongArguments(absl::StrCat("\"", text.substr(0, 64), "\" is not a whole number from 0 to ", kMaxCount));
  }
  return static_cast<size_t>(count);
}

// Length of the blank that the text begins with, a no-break space among them; 0 if it begins with none.
size_t BlankBytes(absl::string_view text) {
  if (!text.empty() && absl::ascii_isspace(static_cast<unsigned char>(text[0]))) return 1;
  for (absl::string_view space : {"\xC2\xA0", "\xE2\x80\xAF", "\xE2\x80\x89"}) {
    if (text.substr(0, space.size()) == space) return space.size();
  }
  return 0;
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
  if (arguments[0].empty()) return WrongArguments("the text to replace is empty");
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
  if (*width > 1000) return WrongArguments("the width is at most 1000");
  if (CountCharacters(arguments[1]) != 1) return WrongArguments("the filling is one character");
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
  if (arguments[0].empty()) return WrongArguments("the separator is empty");
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

// Every run of blanks, tabs, line ends and no-break spaces as one blank.
absl::StatusOr<FunctionPtr> MakeNormalizeSpace(const Arguments&) {
  return MakeTextFunction([](absl::string_view text, Scratch& scratch, Cell& cell) {
    std::string& out = scratch.Next();
    bool blank = false;
    for (size_t at = 0; at < text.size();) {
      size_t length = BlankBytes(text.substr(at));
      blank = blank || length > 0;
      if (length == 0) {
        if (blank && !out.empty()) out += ' ';
        blank = false;
        out += text[at];
      }
      at += std::max<size_t>(length, 1);
    }
    cell.SetText(out);
  });
}

template <bool kAtStart>
absl::StatusOr<FunctionPtr> MakeAffix(const Arguments& arguments) {
  return MakeTextFunction([affix = arguments[0]](absl::string_view text, Scratch& scratch, Cell& cell) {
    std::string& out = scratch.Next();
    if (kAtStart) out += affix;
    out.append(text.data(), text.size());
    if (!kAtStart) out += affix;
    cell.SetText(out);
  });
}

absl::StatusOr<FunctionPtr> MakeDefault(const Arguments& arguments) {
  return MakeFunction<true>([value = arguments[0]](Cell& cell, Scratch&) {
    if (cell.is_null() || (cell.kind == Cell::Kind::kText && cell.text.empty())) cell.SetText(value);
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
      {"normalize_space", 0, 0, "`normalize_space`: every run of blanks as one, and none at both ends",
       MakeNormalizeSpace},
      {"prefix", 1, 1, "`prefix X`: with X before it", MakeAffix<true>},
      {"suffix", 1, 1, "`suffix X`: with X after it", MakeAffix<false>},
      {"default", 1, 1, "`default X`: X for null and for empty text", MakeDefault},
      {"null_if", 1, 100, "`null_if X...`: null if it is one of the texts given", MakeNullIf},
  };
}

}  // namespace chartly
