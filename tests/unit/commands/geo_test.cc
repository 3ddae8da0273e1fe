#include <string>

#include "tests/unit/commands/command_fixture.h"

namespace tandem {
namespace {

constexpr const char* kSyntax = "(error) ERR syntax error";

class GeoCommandsTest : public CommandFixture {
 protected:
  void add_sicily() {
    EXPECT_EQ(run("GEOADD", "Sicily", "13.361389", "38.115556", "Palermo", "15.087269", "37.502669",
                  "Catania"),
              "(integer) 2");
  }
};

TEST_F(GeoCommandsTest, PlacesAreScores) {
  add_sicily();
  EXPECT_EQ(joined_effects(), "ZADD Sicily 3479099956230698 Palermo 3479447370796909 Catania");
  EXPECT_EQ(run("ZSCORE", "Sicily", "Palermo"), "\"3479099956230698\"");
  EXPECT_EQ(run("GEOPOS", "Sicily", "Palermo", "none", "Catania"),
            "[[\"13.36138933897018433\", \"38.11555639549629859\"], (nil array), "
            "[\"15.08726745843887329\", \"37.50266842333162032\"]]");
  EXPECT_EQ(run("GEOHASH", "Sicily", "Palermo", "none", "Catania"),
            "[\"sqc8b49rny0\", (nil), \"sqdtr74hyu0\"]");
  EXPECT_EQ(run("GEOPOS", "none", "a"), "[(nil array)]");
  EXPECT_EQ(run("GEOHASH", "none", "a"), "[(nil)]");
  EXPECT_EQ(run("GEOADD", "Sicily", "CH", "XX", "13.361389", "38.2", "Palermo"), "(integer) 1");
  EXPECT_EQ(run("GEOADD", "Sicily", "NX", "13", "38", "Palermo"), "(integer) 0");
  set_protocol(3);
  EXPECT_EQ(run("GEOPOS", "Sicily", "Catania"),
            "[[(double) 15.08726745843887329, (double) 37.50266842333162032]]");
}

TEST_F(GeoCommandsTest, AddRefuses) {
  EXPECT_EQ(run("GEOADD", "g", "181", "0", "a"),
            "(error) ERR invalid longitude,latitude pair 181.000000,0.000000");
  EXPECT_EQ(run("GEOADD", "g", "0", "-85.06", "a"),
            "(error) ERR invalid longitude,latitude pair 0.000000,-85.060000");
  EXPECT_EQ(run("GEOADD", "g", "x", "0", "a"), "(error) ERR value is not a valid float");
  EXPECT_EQ(run("GEOADD", "g", "NX", "XX", "0", "0", "a"), kSyntax);
  EXPECT_EQ(run("GEOADD", "g", "0", "0", "a", "0"), kSyntax);
  EXPECT_EQ(run("GEOADD", "g", "NX", "CH", "XX"), kSyntax);
  EXPECT_EQ(run("EXISTS", "g"), "(integer) 0");
  // The map's corners are on it.
  EXPECT_EQ(run("GEOADD", "g", "180", "85.05112878", "ne", "-180", "-85.05112878", "sw"),
            "(integer) 2");
}

TEST_F(GeoCommandsTest, Distances) {
  add_sicily();
  EXPECT_EQ(run("GEODIST", "Sicily", "Palermo", "Catania"), "\"166274.1516\"");
  EXPECT_EQ(run("GEODIST", "Sicily", "Palermo", "Catania", "km"), "\"166.2742\"");
  EXPECT_EQ(run("GEODIST", "Sicily", "Palermo", "Catania", "MI"), "\"103.3182\"");
  EXPECT_EQ(run("GEODIST", "Sicily", "Palermo", "Palermo"), "\"0.0000\"");
  EXPECT_EQ(run("GEODIST", "Sicily", "Palermo", "none"), "(nil)");
  EXPECT_EQ(run("GEODIST", "none", "a", "b"), "(nil)");
  EXPECT_EQ(run("GEODIST", "Sicily", "Palermo", "Catania", "x"),
            "(error) ERR unsupported unit provided. please use M, KM, FT, MI");
  EXPECT_EQ(run("GEODIST", "Sicily", "Palermo", "Catania", "m", "m"), kSyntax);
}

TEST_F(GeoCommandsTest, SearchCirclesAndBoxes) {
  add_sicily();
  EXPECT_EQ(run("GEORADIUS", "Sicily", "15", "37", "200", "km", "WITHDIST", "DESC"),
            "[[\"Palermo\", \"190.4424\"], [\"Catania\", \"56.4413\"]]");
  EXPECT_EQ(run("GEOSEARCH", "Sicily", "FROMLONLAT", "15", "37", "BYRADIUS", "100", "km",
                "WITHHASH", "WITHCOORD"),
            "[[\"Catania\", (integer) 3479447370796909, [\"15.08726745843887329\", "
            "\"37.50266842333162032\"]]]");
  EXPECT_EQ(run("GEOSEARCH", "Sicily", "FROMMEMBER", "Catania", "BYBOX", "350", "200", "km", "ASC"),
            "[\"Catania\", \"Palermo\"]");
  EXPECT_EQ(run("GEOSEARCH", "Sicily", "FROMMEMBER", "Catania", "BYBOX", "350", "100", "km"),
            "[\"Catania\"]");
  EXPECT_EQ(run("GEORADIUSBYMEMBER_RO", "Sicily", "Palermo", "200", "km", "COUNT", "1"),
            "[\"Palermo\"]");
  EXPECT_EQ(run("GEOSEARCH", "none", "FROMMEMBER", "a", "BYRADIUS", "1", "m"), "[]");
  EXPECT_EQ(run("GEORADIUSBYMEMBER", "none", "a", "x", "y"), "[]");
}

TEST_F(GeoCommandsTest, SearchPolygons) {
  add_sicily();
  run("GEOADD", "Sicily", "14", "37.5", "between");
  // A triangle around Palermo and the place between, not around Catania.
  EXPECT_EQ(
      run("GEOSEARCH", "Sicily", "BYPOLYGON", "3", "13", "39", "13", "37", "14.8", "37.4", "ASC"),
      "[\"Palermo\", \"between\"]");
  // The bay of a polygon is outside.
  EXPECT_EQ(run("GEOSEARCH", "Sicily", "BYPOLYGON", "5", "13", "39", "13", "37", "16", "37", "16",
                "39", "14", "37.2"),
            "[\"Palermo\", \"Catania\"]");
  EXPECT_EQ(run("GEOSEARCHSTORE", "found", "Sicily", "BYPOLYGON", "4", "12", "36", "12", "39", "16",
                "39", "16", "36"),
            "(integer) 3");
  EXPECT_EQ(run("GEOSEARCH", "Sicily", "BYPOLYGON", "3", "13", "39", "13", "37", "14.8"),
            "(error) ERR GEOSEARCH BYPOLYGON must have at least 3 vertices");
  EXPECT_EQ(run("GEOSEARCH", "Sicily", "BYPOLYGON", "2", "13", "39", "13", "37"),
            "(error) ERR GEOSEARCH BYPOLYGON must have at least 3 vertices");
  EXPECT_EQ(run("GEOSEARCH", "Sicily", "BYPOLYGON", "x", "13", "39", "13", "37"),
            "(error) ERR invalid number of vertices");
  EXPECT_EQ(run("GEOSEARCH", "Sicily", "BYPOLYGON", "3", "13", "39", "13", "37", "190", "0"),
            "(error) ERR invalid longitude,latitude pair 190.000000,0.000000");
  EXPECT_EQ(run("GEOSEARCH", "Sicily", "FROMMEMBER", "Palermo", "BYPOLYGON", "3", "13", "39", "13",
                "37", "14", "38"),
            kSyntax);
  // One that goes around the world.
  run("GEOADD", "world", "-179", "0", "west", "179", "10", "east", "0", "80", "north");
  EXPECT_EQ(run("GEOSEARCHSTORE", "found", "world", "BYPOLYGON", "4", "-180", "-85", "-180", "85",
                "180", "85", "180", "-85"),
            "(integer) 3");
}

TEST_F(GeoCommandsTest, SearchesStore) {
  add_sicily();
  effects();
  EXPECT_EQ(run("GEOSEARCHSTORE", "d", "Sicily", "FROMLONLAT", "15", "37", "BYRADIUS", "200", "km",
                "STOREDIST"),
            "(integer) 2");
  EXPECT_EQ(run("ZSCORE", "d", "Catania"), "\"56.4412578701582\"");
  EXPECT_EQ(run("GEORADIUS", "Sicily", "15", "37", "100", "km", "STORE", "d"), "(integer) 1");
  EXPECT_EQ(run("ZSCORE", "d", "Catania"), "\"3479447370796909\"");
  EXPECT_EQ(run("GEORADIUS", "Sicily", "0", "0", "1", "km", "STORE", "d"), "(integer) 0");
  EXPECT_EQ(run("EXISTS", "d"), "(integer) 0");
  EXPECT_EQ(joined_effects(),
            "GEOSEARCHSTORE d Sicily FROMLONLAT 15 37 BYRADIUS 200 km STOREDIST; "
            "GEORADIUS Sicily 15 37 100 km STORE d; GEORADIUS Sicily 0 0 1 km STORE d");
  EXPECT_EQ(run("GEORADIUS", "Sicily", "15", "37", "100", "km", "STORE", "d", "WITHDIST"),
            "(error) ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and "
            "WITHCOORD options");
  EXPECT_EQ(run("GEOSEARCHSTORE", "d", "Sicily", "FROMLONLAT", "15", "37", "BYRADIUS", "200", "km",
                "WITHHASH"),
            "(error) ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD "
            "options");
  EXPECT_EQ(run("GEORADIUS_RO", "Sicily", "15", "37", "100", "km", "STORE", "d"), kSyntax);
}

TEST_F(GeoCommandsTest, Events) {
  EXPECT_EQ(events_of("GEOADD", "g", "1", "1", "a"), "zadd g");
  EXPECT_EQ(events_of("GEOADD", "g", "1", "1", "a"), "");
  EXPECT_EQ(events_of("GEORADIUS", "g", "1", "1", "1", "km", "STORE", "d"), "georadiusstore d");
  EXPECT_EQ(events_of("GEOSEARCHSTORE", "d", "g", "FROMLONLAT", "1", "1", "BYRADIUS", "1", "km"),
            "geosearchstore d");
  EXPECT_EQ(events_of("GEOSEARCHSTORE", "d", "g", "FROMLONLAT", "9", "9", "BYRADIUS", "1", "km"),
            "del d");
}

TEST_F(GeoCommandsTest, SearchRefuses) {
  add_sicily();
  EXPECT_EQ(run("GEOSEARCH", "Sicily", "BYRADIUS", "1", "km", "ASC", "ASC", "ASC"),
            "(error) ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for GEOSEARCH");
  EXPECT_EQ(run("geosearch", "Sicily", "FROMLONLAT", "1", "1", "ASC", "ASC", "ASC"),
            "(error) ERR exactly one of BYRADIUS, BYBOX and BYPOLYGON can be specified for "
            "geosearch");
  EXPECT_EQ(run("GEOSEARCH", "Sicily", "FROMLONLAT", "1", "1", "BYRADIUS", "1", "km", "BYBOX", "1",
                "1", "km"),
            kSyntax);
  EXPECT_EQ(run("GEOSEARCH", "Sicily", "FROMLONLAT", "1", "1", "FROMMEMBER", "Palermo", "BYRADIUS",
                "1", "km"),
            kSyntax);
  EXPECT_EQ(run("GEOSEARCH", "Sicily", "FROMMEMBER", "none", "BYRADIUS", "1", "km"),
            "(error) ERR could not decode requested zset member");
  EXPECT_EQ(run("GEORADIUS", "Sicily", "1", "1", "1", "km", "ANY"),
            "(error) ERR the ANY argument requires COUNT argument");
  EXPECT_EQ(run("GEORADIUS", "Sicily", "1", "1", "1", "km", "COUNT", "0"),
            "(error) ERR COUNT must be > 0");
  EXPECT_EQ(run("GEORADIUS", "Sicily", "1", "1", "-1", "km"),
            "(error) ERR radius cannot be negative");
  EXPECT_EQ(run("GEORADIUS", "Sicily", "1", "1", "x", "km"), "(error) ERR need numeric radius");
  EXPECT_EQ(run("GEOSEARCH", "Sicily", "FROMLONLAT", "1", "1", "BYBOX", "x", "1", "km"),
            "(error) ERR need numeric width");
  EXPECT_EQ(run("GEOSEARCH", "Sicily", "FROMLONLAT", "1", "1", "BYBOX", "1", "x", "km"),
            "(error) ERR need numeric height");
  EXPECT_EQ(run("GEOSEARCH", "Sicily", "FROMLONLAT", "1", "1", "BYBOX", "1", "-1", "km"),
            "(error) ERR height or width cannot be negative");
  run("SET", "s", "1");
  EXPECT_EQ(run("GEOPOS", "s", "a"),
            "(error) WRONGTYPE Operation against a key holding the wrong kind of value");
}

// Scores that are no places are decoded to some place, whatever they are.
TEST_F(GeoCommandsTest, AnyScoreIsSomewhere) {
  for (const char* score : {"-1", "inf", "-inf", "1e300", "-1e300", "0.5", "4503599627370496"}) {
    run("ZADD", "z", score, "m");
    EXPECT_NE(run("GEOPOS", "z", "m").find("\""), std::string::npos) << score;
    run("GEOHASH", "z", "m");
    run("GEORADIUS", "z", "0", "0", "30000", "km", "WITHHASH");
  }
}

}  // namespace
}  // namespace tandem
