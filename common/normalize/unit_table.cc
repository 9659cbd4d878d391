#include "common/normalize/unit_table.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/normalize/function.h"
#include "common/profile/nearest.h"

namespace chartly {
namespace {

enum class Quantity {
  kShare,
  kCount,
  kLength,
  kArea,
  kVolume,
  kMass,
  kSpeed,
  kTemperature,
  kPressure,
  kEnergy,
  kPower,
  kTime
};

// base = (unit + offset) * numerator / denominator, with the offset in hundredths.
struct Unit {
  Quantity quantity;
  absl::string_view name;
  int64_t numerator;
  int64_t denominator;
  int64_t offset_hundredths = 0;
};

constexpr int64_t kMillion = 1'000'000;
constexpr int64_t kBillion = 1000 * kMillion;

// Factors by definition: the international foot, pound, gallon and mile, the thermochemical calorie.
const Unit kUnits[] = {
    {Quantity::kShare, "fraction", 1, 1},
    {Quantity::kShare, "percent", 1, 100},
    {Quantity::kShare, "permille", 1, 1000},
    {Quantity::kShare, "basis_points", 1, 10'000},
    {Quantity::kShare, "ppm", 1, kMillion},
    {Quantity::kCount, "ones", 1, 1},
    {Quantity::kCount, "thousands", 1000, 1},
    {Quantity::kCount, "millions", kMillion, 1},
    {Quantity::kCount, "billions", kBillion, 1},
    {Quantity::kLength, "m", 1, 1},
    {Quantity::kLength, "mm", 1, 1000},
    {Quantity::kLength, "cm", 1, 100},
    {Quantity::kLength, "km", 1000, 1},
    {Quantity::kLength, "in", 254, 10'000},
    {Quantity::kLength, "ft", 3048, 10'000},
    {Quantity::kLength, "yd", 9144, 10'000},
    {Quantity::kLength, "mi", 1'609'344, 1000},
    {Quantity::kLength, "nmi", 1852, 1},
    {Quantity::kArea, "m2", 1, 1},
    {Quantity::kArea, "km2", kMillion, 1},
    {Quantity::kArea, "ha", 10'000, 1},
    {Quantity::kArea, "ft2", 9'290'304, 100 * kMillion},
    {Quantity::kArea, "acre", 40'468'564'224, 10 * kMillion},
    {Quantity::kArea, "mi2", 2'589'988'110'336, kMillion},
    {Quantity::kVolume, "l", 1, 1},
    {Quantity::kVolume, "ml", 1, 1000},
    {Quantity::kVolume, "m3", 1000, 1},
    {Quantity::kVolume, "gal", 3'785'411'784, kBillion},
    {Quantity::kVolume, "bbl", 158'987'294'928, kBillion},
    {Quantity::kMass, "kg", 1, 1},
    {Quantity::kMass, "g", 1, 1000},
    {Quantity::kMass, "mg", 1, kMillion},
    {Quantity::kMass, "t", 1000, 1},
    {Quantity::kMass, "lb", 45'359'237, 100 * kMillion},
    {Quantity::kMass, "oz", 28'349'523'125, 1000 * kBillion},
    {Quantity::kMass, "short_ton", 90'718'474, 100'000},
    {Quantity::kSpeed, "m_s", 1, 1},
    {Quantity::kSpeed, "km_h", 10, 36},
    {Quantity::kSpeed, "mph", 44'704, 100'000},
    {Quantity::kSpeed, "kn", 1852, 3600},
    {Quantity::kSpeed, "ft_s", 3048, 10'000},
    {Quantity::kTemperature, "degC", 1, 1},
    {Quantity::kTemperature, "degF", 5, 9, -3200},
    {Quantity::kTemperature, "K", 1, 1, -27'315},
    {Quantity::kPressure, "Pa", 1, 1},
    {Quantity::kPressure, "hPa", 100, 1},
    {Quantity::kPressure, "kPa", 1000, 1},
    {Quantity::kPressure, "mbar", 100, 1},
    {Quantity::kPressure, "bar", 100'000, 1},
    {Quantity::kPressure, "atm", 101'325, 1},
    {Quantity::kEnergy, "J", 1, 1},
    {Quantity::kEnergy, "kJ", 1000, 1},
    {Quantity::kEnergy, "MJ", kMillion, 1},
    {Quantity::kEnergy, "GJ", kBillion, 1},
    {Quantity::kEnergy, "cal", 4184, 1000},
    {Quantity::kEnergy, "Wh", 3600, 1},
    {Quantity::kEnergy, "kWh", 3600 * 1000, 1},
    {Quantity::kEnergy, "MWh", 3600 * kMillion, 1},
    {Quantity::kEnergy, "GWh", 3600 * kBillion, 1},
    {Quantity::kPower, "W", 1, 1},
    {Quantity::kPower, "kW", 1000, 1},
    {Quantity::kPower, "MW", kMillion, 1},
    {Quantity::kPower, "GW", kBillion, 1},
    {Quantity::kTime, "s", 1, 1},
    {Quantity::kTime, "ms", 1, 1000},
    {Quantity::kTime, "min", 60, 1},
    {Quantity::kTime, "h", 3600, 1},
    {Quantity::kTime, "d", 86'400, 1},
};

absl::StatusOr<const Unit*> FindUnit(absl::string_view name) {
  std::vector<std::string> names;
  for (const Unit& unit : kUnits) {
    if (unit.name == name) return &unit;
    names.emplace_back(unit.name);
  }
  return WrongArguments(absl::StrCat("unknown unit \"", name.substr(0, 64), "\"; did you mean \"",
                                     NearestName(name, names), "\"? Known: ", absl::StrJoin(names, ", ")));
}

Ratio Reduced(absl::int128 numerator, absl::int128 denominator) {
  absl::int128 a = numerator;
  absl::int128 b = denominator;
  while (b != 0) {
    absl::int128 rest = a % b;
    a = b;
    b = rest;
  }
  return {numerator / a, denominator / a};
}

Decimal Hundredths(int64_t number) { return number == 0 ? Decimal{} : Decimal{number, 2}; }

}  // namespace

absl::StatusOr<UnitConversion> FindConversion(absl::string_view from, absl::string_view to) {
  absl::StatusOr<const Unit*> source = FindUnit(from);
  if (!source.ok()) return source.status();
  absl::StatusOr<const Unit*> target = FindUnit(to);
  if (!target.ok()) return target.status();
  const Unit& a = **source;
  const Unit& b = **target;
  if (a.quantity != b.quantity) return WrongArguments(absl::StrCat(from, " and ", to, " do not measure the same"));
  UnitConversion conversion;
  conversion.before = Hundredths(a.offset_hundredths);
  conversion.ratio = Reduced(absl::int128(a.numerator) * b.denominator, absl::int128(a.denominator) * b.numerator);
  conversion.after = Hundredths(-b.offset_hundredths);
  return conversion;
}

}  // namespace chartly
