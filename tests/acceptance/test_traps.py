"""The known traps, in four languages, through a whole load: what must not merge, and what must."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from membatch import Config, process
from membatch.config import DedupSettings

# (one, other, outcome of the second, the guards that speak up)
TRAPS = [
    ("Gina lost her job at Door Dash", "Jon lost his job at Door Dash", "inserted", "names"),
    (
        "Jolene finished an electrical engineering project",
        "Deborah finished an electrical engineering project",
        "inserted",
        "names",
    ),
    ("Gina hat ihren Job bei der Post verloren", "Jon hat seinen Job bei der Post verloren", "inserted", "names"),
    ("Gina perdió su trabajo en la tienda", "Jon perdió su trabajo en la tienda", "inserted", "names"),
    ("吉娜丢了在快递公司的工作", "乔恩丢了在快递公司的工作", "held", "substitution"),
    ("吉娜完成了一个电气工程项目", "黛博拉完成了一个电气工程项目", "held", "substitution"),
    ("We met on October 15th", "We met on October 16th", "inserted", "numbers"),
    ("Wir trafen uns am 15. Oktober", "Wir trafen uns am 16. Oktober", "inserted", "numbers"),
    ("Nos vimos el 15 de octubre", "Nos vimos el 16 de octubre", "inserted", "numbers"),
    ("我们十月十五日见面", "我们十月十六日见面", "inserted", "numbers"),
    ("我们10月15日见面", "我们10月16日见面", "inserted", "numbers"),
    ("Anna loves pizza", "Anna does not love pizza", "held", "negation"),
    ("Anna liebt Pizza", "Anna liebt Pizza nicht", "held", "negation"),
    ("Anna liebt Pizza", "Anna liebt keine Pizza", "held", "negation"),
    ("A Ana le gusta la pizza", "A Ana no le gusta la pizza", "held", "negation"),
    ("安娜爱吃披萨", "安娜不爱吃披萨", "held", "negation"),
    ("The parcel weighs 3 kg", "The parcel weighs 5 kg", "inserted", "numbers"),
    ("Das Paket wiegt 3 kg", "Das Paket wiegt 5 kg", "inserted", "numbers"),
    ("El paquete pesa 3 kg", "El paquete pesa 5 kg", "inserted", "numbers"),
    ("这个包裹重3公斤", "这个包裹重5公斤", "inserted", "numbers"),
    ("这个包裹重三公斤", "这个包裹重五公斤", "inserted", "numbers"),
    ("She paid forty dollars", "She paid ninety dollars", "inserted", "numbers"),
    ("Sie zahlte vierzig Euro", "Sie zahlte neunzig Euro", "inserted", "numbers"),
    ("Ella pagó cuarenta euros", "Ella pagó noventa euros", "inserted", "numbers"),
    ("她付了四十美元", "她付了九十美元", "inserted", "numbers"),
    ("The flight leaves from gate B12", "The flight leaves from gate B14", "inserted", "numbers"),
    ("Der Flug geht von Gate B12", "Der Flug geht von Gate B14", "inserted", "numbers"),
    ("El vuelo sale de la puerta B12", "El vuelo sale de la puerta B14", "inserted", "numbers"),
    ("航班从B12登机口出发", "航班从B14登机口出发", "inserted", "numbers"),
    ("I write C++ at work", "I write C# at work", "inserted", "numbers"),
    ("Ich schreibe C++ bei der Arbeit", "Ich schreibe C# bei der Arbeit", "inserted", "numbers"),
    ("Escribo C++ en el trabajo", "Escribo C# en el trabajo", "inserted", "numbers"),
    ("我在工作中写C++", "我在工作中写C#", "inserted", "numbers"),
    ("It was −5 °C outside", "It was 5 °C outside", "inserted", "numbers"),
    ("Draußen waren es −5 °C", "Draußen waren es 5 °C", "inserted", "numbers"),
    ("Fuera hacía −5 °C", "Fuera hacía 5 °C", "inserted", "numbers"),
    ("外面是−5°C", "外面是5°C", "inserted", "numbers"),
    ("The tea cost $5", "The tea cost €5", "inserted", "numbers"),
    ("Der Tee kostete $5", "Der Tee kostete €5", "inserted", "numbers"),
    ("El té costó $5", "El té costó €5", "inserted", "numbers"),
    ("茶的价格是$5", "茶的价格是€5", "inserted", "numbers"),
    ("I love 🍎", "I love 🍌", "inserted", "symbols"),
    ("Ich liebe 🍎", "Ich liebe 🍌", "inserted", "symbols"),
    ("Me encanta 🍎", "Me encanta 🍌", "inserted", "symbols"),
    ("我爱🍎", "我爱🍌", "inserted", "symbols"),
    ("my mother died when I was in high school", "my father died when I was in high school", "held", "substitution"),
    (
        "meine Mutter starb, als ich auf dem Gymnasium war",
        "mein Vater starb, als ich auf dem Gymnasium war",
        "inserted",
        "names",
    ),
    (
        "mi madre murió cuando yo estaba en el instituto",
        "mi padre murió cuando yo estaba en el instituto",
        "held",
        "substitution",
    ),
    ("我妈妈在我上高中时去世了", "我爸爸在我上高中时去世了", "held", "substitution"),
    ("Tom owes Anna ten euros", "Anna owes Tom ten euros", "held", "order"),
    ("Tom schuldet Anna zehn Euro", "Anna schuldet Tom zehn Euro", "held", "order"),
    ("Tom le debe a Anna diez euros", "Anna le debe a Tom diez euros", "held", "order"),
    ("汤姆欠安娜十欧元", "安娜欠汤姆十欧元", "held", "order"),
    ("Nos vimos el 15 de octubre", "Nos vimos el 15 de noviembre", "inserted", "numbers"),
    ("Anna loves pizza", "Anna doesn't love pizza", "held", "negation"),
    ("No me gusta el café", "Me gusta el café", "held", "negation"),
    ("肉を食べます", "肉を食べません", "held", "negation"),
    ("I always run in the morning", "I never run in the morning", "held", "negation"),
    ("Ich habe drei Katzen", "Ich habe vier Katzen", "inserted", "numbers"),
    ("Tengo dos gatos", "Tengo tres gatos", "inserted", "numbers"),
    ("我有三只猫", "我有四只猫", "inserted", "numbers"),
    ("meine schwester lebt in der stadt", "meine tante lebt in der stadt", "held", "substitution"),
    (
        "My son started school in Berlin last September and loves it",
        "My daughter started school in Berlin last September and loves it",
        "held",
        "substitution",
    ),
    (
        "The man next door gave me a lift to work this morning",
        "The woman next door gave me a lift to work this morning",
        "held",
        "substitution",
    ),
    (
        "She left her new red hat on the train to Boston yesterday",
        "She left her new red coat on the train to Boston yesterday",
        "held",
        "substitution",
    ),
    (
        "He went to war with his best friends at the age of 18",
        "He went to school with his best friends at the age of 18",
        "held",
        "substitution",
    ),
    ("She took it from his old bin", "She took it from his old bag", "held", "substitution"),
    (
        "Mia lost her job at the bank and wants to open a dance studio",
        "Emma lost her job at the bank and wants to open a dance studio",
        "inserted",
        "names",
    ),
    ("Ella lost her job at the bank", "Mia lost her job at the bank", "inserted", "names"),
    ("Ed lost his job at the bank", "Tom lost his job at the bank", "inserted", "names"),
    (
        "Will moved to Boston with his two dogs last summer",
        "Mark moved to Boston with his two dogs last summer",
        "inserted",
        "names",
    ),
    (
        "She moved to the US with her two children last summer",
        "She moved to the UK with her two children last summer",
        "inserted",
        "names",
    ),
    (
        "My sister works in IT at a large bank in London",
        "My sister works in HR at a large bank in London",
        "inserted",
        "names",
    ),
    (
        "My birthday is in May and I always have a party",
        "My birthday is in March and I always have a party",
        "inserted",
        "names",
    ),
    ("We met on May 5", "We met on March 5", "inserted", "names"),
    (
        "Yo siempre como carne con mi familia en la casa de Madrid",
        "Yo siempre odio carne con mi familia en la casa de Madrid",
        "held",
        "substitution",
    ),
    ("J'aime le son de ce vieux piano", "J'aime le bruit de ce vieux piano", "held", "substitution"),
    (
        "Anna bought a new car for her mother's birthday last week",
        "Anna bought a new card for her mother's birthday last week",
        "held",
        "substitution",
    ),
    ("how I felt about the ban", "how I felt about the band", "held", "substitution"),
    (
        "The accident with the dog left her scared for life",
        "The accident with the dog left her scarred for life",
        "held",
        "substitution",
    ),
    ("we had fun", "we had fund", "held", "substitution"),
    ("I love this ear", "I love this earring", "held", "substitution"),
    ("a plane in the sky", "a planet in the sky", "held", "substitution"),
    ("my brother is good", "my broth is good", "held", "substitution"),
    (
        "Ontem falei muito tempo com avó Maria sobre a guerra",
        "Ontem falei muito tempo com avô Maria sobre a guerra",
        "held",
        "substitution",
    ),
    ("My balance is -$5", "My balance is $5", "inserted", "numbers"),
    ("It was minus 5 degrees in Oslo on Monday", "It was 5 degrees in Oslo on Monday", "inserted", "numbers"),
    ("She is twenty-one years old", "She is twenty years old", "inserted", "numbers"),
    ("Il a vingt et un ans", "Il a vingt ans", "inserted", "numbers"),
    ("Tiene treinta y un años", "Tiene treinta años", "inserted", "numbers"),
    ("Tem trinta e um euros", "Tem trinta euros", "inserted", "numbers"),
    ("Es dauert ein bis zwei Stunden", "Es dauert zwei Stunden", "inserted", "numbers"),
    ("我们十一月十五日见面", "我们十月十五日见面", "inserted", "numbers"),
    ("私は十一月に会った", "私は十月に会った", "inserted", "numbers"),
    ("他二十一岁", "他二十岁", "inserted", "numbers"),
    ("我的生日是3月5日", "我的生日是5月3日", "held", "order"),
    ("They won 3 to 2", "They won 2 to 3", "held", "order"),
    ("We have 3 apples and 5 pears", "We have 5 apples and 3 pears", "held", "order"),
    ("She is 60 kg and 170 cm", "She is 170 kg and 60 cm", "held", "order"),
    ("three hundred and two people", "two hundred and three people", "held", "order"),
    ("Il a quatre-vingt-quatre ans", "Il a vingt-quatre ans", "held", "order"),
    ("We meet at 3 pm on Friday", "We meet at 3 am on Friday", "inserted", "numbers"),
    ("We meet at 3 p.m. on Friday", "We meet at 3 a.m. on Friday", "inserted", "numbers"),
    ("We meet at 3pm on Friday", "We meet at 3am on Friday", "inserted", "numbers"),
    ("It was 40°C", "It was 40°F", "inserted", "numbers"),
    ("He earns 50k a year", "He earns 50 a year", "inserted", "numbers"),
    ("Bebe el té con azúcar y leche", "Bebe el té sin azúcar y leche", "held", "substitution"),
    ("We met before the party", "We met after the party", "held", "substitution"),
    ("He stayed until Monday", "He stayed since Monday", "held", "substitution"),
    ("the light is on", "the light is off", "held", "substitution"),
    ("all of my friends came", "some of my friends came", "held", "substitution"),
    ("Das war vor dem Essen gut", "Das war nach dem Essen gut", "held", "substitution"),
    ("le livre est sur la table", "le livre est sous la table", "held", "substitution"),
    (
        "He lost his job at the bank in the city last year",
        "She lost her job at the bank in the city last year",
        "held",
        "substitution",
    ),
    ("flew from Paris to Rome", "flew to Paris from Rome", "held", "order"),
    ("schrieb einen Brief von Anna an Tom", "schrieb einen Brief an Anna von Tom", "held", "order"),
    ("I have hardly any money", "I have any money", "held", "negation"),
    ("I am moving to 🇪🇸 next year", "I am moving to 🇸🇪 next year", "inserted", "symbols"),
    ("she told him the truth about all", "he told her the truth about all", "held", "order substitution"),
    ("I gave Anna the keys", "Anna gave me the keys", "held", "substitution"),
    ("Er schuldet Anna zehn Euro", "Anna schuldet ihm zehn Euro", "held", "substitution"),
    ("Anna invited Tom to the wedding", "Anna was invited by Tom to the wedding", "held", "substitution"),
    ("the dog bit the postman last week", "the postman bit the dog last week", "held", "order"),
    ("my sister owes Anna money for the rent", "Anna owes my sister money for the rent", "held", "order"),
    ("prefers tea, not coffee, at work", "prefers coffee, not tea, at work", "held", "order"),
    ("turn left at the church, then right", "turn right at the church, then left", "held", "order"),
    ("has an older brother and a younger sister", "has an younger brother and a older sister", "held", "order"),
    ("did not go because she was tired", "did go not because she was tired", "held", "order"),
    ("My mother has diabetes", "His mother has diabetes", "held", "substitution"),
    ("My flight leaves at nine", "Your flight leaves at nine", "held", "substitution"),
    ("Meine Mutter wohnt am Meer", "Seine Mutter wohnt am Meer", "held", "substitution"),
    ("Ihre Mutter wohnt am Meer", "Seine Mutter wohnt am Meer", "held", "substitution"),
    ("Ma mère habite en ville", "Sa mère habite en ville", "held", "substitution"),
    ("Mi madre vive en un pueblo", "Su madre vive en un pueblo", "held", "substitution"),
    ("Mia madre abita al mare", "Sua madre abita al mare", "held", "substitution"),
    ("Minha mãe mora na cidade", "Sua mãe mora na cidade", "held", "substitution"),
    ("彼は東京に住んでいる", "彼女は東京に住んでいる", "held", "substitution"),
    ("Anna is married to a doctor", "Anna was married to a doctor", "held", "substitution"),
    ("Er war Lehrer in Bonn", "Er ist Lehrer in Bonn", "held", "substitution"),
    ("Il est heureux à Nice", "Il était heureux à Nice", "held", "substitution"),
    ("Ele é feliz no trabalho", "Ele era feliz no trabalho", "held", "substitution"),
    ("Anna works for Tom at the bakery", "Anna works with Tom at the bakery", "held", "substitution"),
    ("The letter was sent by Maria", "The letter was sent to Maria", "held", "substitution"),
    ("Anna only eats fish", "Anna also eats fish", "held", "negation"),
    ("Quarter past nine in the hall", "Quarter to nine in the hall", "held", "substitution"),
    ("Anna might move to Berlin", "Anna moves to Berlin", "held", "negation"),
    ("He almost finished his thesis", "He finished his thesis", "held", "negation"),
    ("She used to play the violin", "She plays the violin", "held", "negation"),
    ("My former boss plays golf", "My boss plays golf", "held", "negation"),
    ("If Anna passes she will study", "Anna passes and she will study", "held", "negation"),
    ("Talvez ela more em Lisboa", "Ela mora em Lisboa", "held", "negation substitution"),
    ("他可能会搬到上海", "他会搬到上海", "held", "negation"),
    ("She takes vitamin C each day", "She takes vitamin D each day", "inserted", "names"),
    ("Plan A is to rent a flat", "Plan B is to rent a flat", "inserted", "names"),
    ("It returns a == b here", "It returns a != b here", "inserted", "symbols"),
    ("It passes when x >= y", "It passes when x > y", "inserted", "symbols"),
    ("We meet at 15:30 today", "We meet at 15:00 today", "inserted", "numbers"),
    ("on 10.05 in the hall", "at 10:05 in the hall", "inserted", "numbers"),
    ("It weighs 3,5 kg", "It weighs 3.6 kg", "inserted", "numbers"),
    ("The key is under the flower pot", "The key is behind the flower pot", "held", "substitution"),
    ("Most of the guests came by train", "Some of the guests came by train", "held", "substitution"),
    ("My mother-in-law lives in Leeds", "My mother lives in Leeds", "held", "substitution"),
    ("Ma grand-mère habite à Lyon", "Ma mère habite à Lyon", "held", "substitution"),
    ("She plans to quit her job", "She quit her job", "held", "negation"),
    ("She walks the dog every other day", "She walks the dog every day", "held", "negation"),
    ("Anna's doctor told her to rest", "Anna told her doctor to rest", "held", "order"),
    ("会议下午三点半开始", "会议下午三点开始", "inserted", "numbers"),
]

SAME = [
    ("Anna went home", "anna WENT home"),
    ("Anna ging nach Hause", "ANNA ging nach hause"),
    ("Ana fue a casa", "ANA fue a CASA"),
    ("Anna went home.", "Anna went home!"),
    ("Anna ging nach Hause.", "Anna ging nach Hause!"),
    ("Ana fue a casa.", "¡Ana fue a casa!"),
    ("安娜回家了。", "安娜回家了！"),
    ("Anna  went\thome", "Anna went home"),
    ("安娜 回家了", "安娜回家了"),
    ("Ａｎｎａ has 12 cats", "Anna has １２ cats"),
    ("安娜有１２只猫", "安娜有12只猫"),
    ("I'm going to the lake", "I am going to the lake"),
    ("I don’t like green tea", "I do not like green tea"),
    ("Wie geht's dir heute", "Wie geht es dir heute"),
    ("I bought a car", "I bought a new car"),
    ("Ich habe ein Auto gekauft", "Ich habe ein neues Auto gekauft"),
    ("Compré un coche", "Compré un coche nuevo"),
    ("我买了一辆车", "我买了一辆新车"),
    ("often walks to school", "walks to school often"),
    ("geht oft zu fuß zur schule", "oft geht zu fuß zur schule"),
    ("va a la escuela a menudo", "a menudo va a la escuela"),
    ("It weighs 3kg", "It weighs 3 kg"),
    ("We met on October 15th", "We met on October 15"),
    ("It cost 1,000 euros", "It cost 1000 euros"),
    ("I have three cats", "I have 3 cats"),
    ("She travelled to Rome", "She traveled to Rome"),
    ("the colour of the walls", "the color of the walls"),
    ("She walks to work", "She walked to work"),
    ("我爱吃苹果", "我很爱吃苹果"),
    ("Anna lost her job", "She lost her job"),
    ("the meeting is at 3 p.m.", "the meeting is at 3pm"),
    ("It cost 5 €", "It cost €5"),
    ("It cost $1,000", "It cost $1000"),
    ("in Rome 2019-2020", "in Rome 2019–2020"),
    ("3 apples and 5 pears", "5 pears and 3 apples"),
    ("I have three cats and 2 dogs", "I have 3 cats and two dogs"),
    ("one hundred people came", "100 people came"),
    ("She hoped to win", "She hopes to win"),
    ("She planned it", "She plans it"),
    ("ich sah den freund", "ich sah die freunde"),
    ("we drank a café au lait", "we drank a cafe au lait"),
    ("AT THE US EMBASSY", "at the us embassy"),
    ("THE CAR IS RED", "A CAR IS RED"),
    ("The talk is at 15:00 in Graz", "The talk is at 15.00 in Graz"),
    ("Wir treffen uns um 15:30 Uhr", "Wir treffen uns um 15.30 Uhr"),
    ("The meeting is at 3:00 pm", "The meeting is at 3 pm"),
    ("Das Paket wiegt 3,5 kg", "Das Paket wiegt 3.5 kg"),
    ("The ticket costs $5.00", "The ticket costs $5"),
    ("has a 5-year-old daughter", "has a 5 year old daughter"),
    ("has an older brother and a younger sister", "has a younger sister and an older brother"),
    ("likes reading, hiking and cooking", "likes cooking, hiking and reading"),
    ("prefers dark mode in the editor and the terminal", "prefers dark mode in the terminal and the editor"),
    ("aime le cinéma et la musique", "aime la musique et le cinéma"),
    ("a window seat or an aisle seat", "an aisle seat or a window seat"),
    ("On Sunday we went to the beach", "We went to the beach on Sunday"),
    ("Seit 2019 wohne ich mit Anna in Bonn", "Ich wohne seit 2019 mit Anna in Bonn"),
    ("On his birthday I gave him a book", "I gave him a book on his birthday"),
    ("Tom was invited by Anna to the party", "Tom was invited to the party by Anna"),
    ("He's a teacher in Bonn", "He is a teacher in Bonn"),
    ("He'd bought a car", "He had bought a car"),
    ("We have two dogs", "I have two dogs"),
    ("She takes vitamin C each day", "she takes vitamin c each day"),
    ("He is used to the cold", "He is used to cold"),
    ("I asked whether he was well", "I asked if he was well"),
    ("彼女は東京に住んでいる", "彼女は東京に住んでいるよ"),
    ("彼は東京に住んでいます", "彼は東京に住んでいる"),
    ("他有三个孩子", "他有3个孩子"),
    ("José lives in Rome", "Jose lives in Rome"),
    ("the e-mail from Anna", "the email from Anna"),
    ("Je ne mange pas de viande", "Je mange pas de viande"),
]

JANUARY, JUNE = {"occurred_at": "2024-01-05T09:00:00Z"}, {"occurred_at": "2024-06-05T09:00:00Z"}
HEADACHES = ["I had a headache", "Ich hatte Kopfschmerzen", "Me dolía la cabeza", "我头疼"]


def second_of(folder: Path, one: dict[str, Any], other: dict[str, Any]) -> tuple[str, list[str]]:
    """Load two records, all pairs being found; return the outcome of the second, and the guards that spoke up."""
    settings = Config(store=f"sqlite:///{folder}/m.db", dedup=DedupSettings(threshold="0.2"))
    report = process([one, other], config=settings)
    counts = report.counts
    assert (counts.read, counts.rejected, counts.duplicates) == (2, 0, 0)
    outcome = "merged" if counts.merged else "held" if counts.held else "inserted"
    return outcome, sorted(report.deduplication["by_guard"])


@pytest.mark.parametrize(("one", "other", "outcome", "guard"), TRAPS)
def test_a_trap_does_not_merge(one: str, other: str, outcome: str, guard: str, tmp_path: Path) -> None:
    assert second_of(tmp_path, {"summary": one}, {"summary": other}) == (outcome, guard.split())


@pytest.mark.parametrize(("other", "one", "outcome", "guard"), TRAPS)
def test_a_trap_does_not_merge_the_other_way_round(
    one: str, other: str, outcome: str, guard: str, tmp_path: Path
) -> None:
    assert second_of(tmp_path, {"summary": one}, {"summary": other}) == (outcome, guard.split())


@pytest.mark.parametrize(("one", "other"), [*SAME, *((other, one) for one, other in SAME)])
def test_the_same_said_again_merges(one: str, other: str, tmp_path: Path) -> None:
    assert second_of(tmp_path, {"summary": one}, {"summary": other}) == ("merged", [])


@pytest.mark.parametrize("text", HEADACHES)
def test_what_happened_twice_stays_two_memories(text: str, tmp_path: Path) -> None:
    assert second_of(tmp_path, {"summary": text, **JANUARY}, {"summary": text, **JUNE}) == ("inserted", ["when"])


@pytest.mark.parametrize("text", HEADACHES)
def test_what_happened_once_is_one_memory(text: str, tmp_path: Path) -> None:
    evening = {"summary": text, "occurred_at": "2024-01-05T20:00:00Z"}
    assert second_of(tmp_path, {"summary": text, **JANUARY}, evening) == ("merged", [])
