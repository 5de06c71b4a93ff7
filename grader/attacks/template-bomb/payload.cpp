// 2^60 instances, none of them needed.
template <int Depth, long Path>
struct Bomb {
  static constexpr long value =
      Bomb<Depth - 1, 2 * Path>::value + Bomb<Depth - 1, 2 * Path + 1>::value;
};
template <long Path>
struct Bomb<0, Path> {
  static constexpr long value = Path;
};
constexpr long kBang = Bomb<60, 1>::value;
