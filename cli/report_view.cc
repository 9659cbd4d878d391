#include "cli/report_view.h"

#include <algorithm>
#include <map>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/table.h"

namespace chartly::cli {
namespace {

void PrintSides(Session& session, const Json& answer) {
  Table table({"PROFILE", "MEASURE", "RECORDS", "WITHOUT VALUE", "WITHOUT PARTNER", "FOR EXAMPLE"});
  for (const Json& side : answer["sides"].items()) {
    std::string examples;
    for (const Json& example : side["unmatched_examples"].items()) {
      absl::StrAppend(&examples, examples.empty() ? "" : "; ", example.text());
    }
    table.Add({side["profile_id"].text(), side["measure"].text(), std::to_string(side["records"].integer()),
               std::to_string(side["null_measures"].integer()), std::to_string(side["unmatched"].integer()),
               Shorten(examples, 60)});
  }
  table.Print(session.out, "");
}

void PrintRows(Session& session, const Json& answer) {
  std::vector<std::string> header;
  for (const Json& column : answer["columns"].items()) header.push_back(column.text());
  Table table(header);
  for (const Json& row : answer["rows"].items()) {
    std::vector<std::string> cells;
    for (const Json& value : row["values"].items()) cells.push_back(value.text());
    table.Add(std::move(cells));
  }
  table.Print(session.out, "no rows: nothing has the same values in all join dims");
  if (answer["truncated"].boolean()) {
    session.err << "chartly: " << answer["rows"].items().size() << " of " << answer["row_count"].text()
                << " rows; raise --limit\n";
  }
}

// Figures for people: six digits say enough; --output json has all.
std::string Rounded(const Json& figure) {
  double number = 0;
  if (figure.is_null() || !absl::SimpleAtod(figure.text(), &number)) return "";
  return absl::StrFormat("%.6g", number);
}

std::string OrUndefined(const Json& figure) { return figure.is_null() ? "undefined" : figure.text(); }

constexpr const char* kMethods[] = {"pearson", "spearman", "kendall", "partial"};

void PrintPair(Session& session, const Json& pair) {
  session.out << pair["x"].text() << " and " << pair["y"].text() << ", " << pair["n"].integer() << " pairs\n\n";
  Table table({"COEFFICIENT", "VALUE", "FROM", "TO", "P-VALUE"});
  for (const char* method : kMethods) {
    const Json& coefficient = pair[method];
    if (coefficient.is_null()) continue;
    table.Add({method, OrUndefined(coefficient["value"]), Rounded(coefficient["low"]), Rounded(coefficient["high"]),
               Rounded(coefficient["p_value"])});
  }
  table.Print(session.out, "");
}

void PrintMatrix(Session& session, const std::vector<const Json*>& pairs, const std::string& method) {
  std::vector<std::string> names;
  std::map<std::pair<std::string, std::string>, std::string> cells;
  for (const Json* pair : pairs) {
    for (const char* side : {"x", "y"}) {
      std::string name = (*pair)[side].text();
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
    std::string value = Rounded((*pair)[method]["value"]);
    cells[{(*pair)["x"].text(), (*pair)["y"].text()}] = value;
    cells[{(*pair)["y"].text(), (*pair)["x"].text()}] = value;
  }
  std::vector<std::string> header = {method};
  header.insert(header.end(), names.begin(), names.end());
  Table table(header);
  for (const std::string& row : names) {
    std::vector<std::string> line = {row};
    for (const std::string& column : names) line.push_back(row == column ? "1" : cells[{row, column}]);
    table.Add(std::move(line));
  }
  table.Print(session.out, "");
}

void PrintPairs(Session& session, const std::vector<const Json*>& pairs) {
  Table table({"X", "Y", "N", "PEARSON", "P-VALUE", "SPEARMAN", "KENDALL", "PARTIAL"});
  for (const Json* pair : pairs) {
    const Json& one = *pair;
    table.Add({one["x"].text(), one["y"].text(), one["n"].text(), Rounded(one["pearson"]["value"]),
               Rounded(one["pearson"]["p_value"]), Rounded(one["spearman"]["value"]), Rounded(one["kendall"]["value"]),
               Rounded(one["partial"]["value"])});
  }
  table.Print(session.out, "");
}

void PrintLags(Session& session, const std::vector<const Json*>& lags) {
  session.out << "\n" << (*lags[0])["y"].text() << " that many rows after " << (*lags[0])["x"].text() << "\n\n";
  Table table({"LAG", "N", "PEARSON", "P-VALUE", "SPEARMAN"});
  for (const Json* lag : lags) {
    table.Add({(*lag)["lag"].text(), (*lag)["n"].text(), Rounded((*lag)["pearson"]["value"]),
               Rounded((*lag)["pearson"]["p_value"]), Rounded((*lag)["spearman"]["value"])});
  }
  table.Print(session.out, "");
}

void PrintLine(Session& session, const Json& line) {
  if (line.is_null()) return;
  session.out << "\nline: " << line["y"].text() << " = " << Rounded(line["intercept"]) << " + "
              << Rounded(line["slope"]) << " * " << line["x"].text() << ", R2 " << Rounded(line["r_squared"]) << "\n";
}

void PrintCorrelations(Session& session, const Json& answer, const std::string& method) {
  // The pairs come first, each once; the lags of the first pair begin where it comes again.
  std::vector<const Json*> pairs, lags;
  for (const Json& one : answer["correlations"].items()) {
    bool again =
        !pairs.empty() && one["x"].text() == (*pairs[0])["x"].text() && one["y"].text() == (*pairs[0])["y"].text();
    (again || !lags.empty() ? lags : pairs).push_back(&one);
  }
  if (pairs.size() == 1) PrintPair(session, *pairs[0]);
  if (pairs.size() > 1) {
    PrintMatrix(session, pairs, method);
    session.out << "\n";
    PrintPairs(session, pairs);
  }
  if (!lags.empty()) PrintLags(session, lags);
  PrintLine(session, answer["regression"]);
}

}  // namespace

void PrintReport(Session& session, const Json& answer, bool is_correlation, const std::string& method) {
  if (is_correlation) {
    PrintCorrelations(session, answer, method);
  } else {
    PrintRows(session, answer);
  }
  session.out << "\n";
  PrintSides(session, answer);
  for (const Json& warning : answer["warnings"].items()) session.err << "warning: " << warning.text() << "\n";
}

}  // namespace chartly::cli
