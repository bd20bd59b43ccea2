"""Word tables for the guards: numbers, dates, negation, function words, contractions; eight languages at once.

Rule: all rows apply to every text, since texts mix languages; a word that is common in another sense in one of the
languages is left out (of numbers once, sei, um, due, cent, neuf, elf; of function words man, son, war, hat, die, mia,
come, par, hier, mes, est and others). All are casefolded.
"""

from __future__ import annotations

from itertools import combinations
from typing import Final


def _numbers(text: str) -> dict[str, str]:
    pairs = (entry.split("=") for entry in text.split())
    return {word: number for number, words in pairs for word in words.split(",")}


def _replacements(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((old, new) for old, _, new in (entry.partition("=") for entry in text.split()))


def _words(rows: dict[str, str]) -> frozenset[str]:
    return frozenset(word for row in rows.values() for word in row.split())


def _pairs(rows: dict[str, str]) -> tuple[tuple[frozenset[str], frozenset[str]], ...]:
    """Return every two sides of each entry."""
    entries = (
        [frozenset(side.split(",")) for side in entry.split("/")] for row in rows.values() for entry in row.split()
    )
    return tuple(dict.fromkeys(pair for sides in entries for pair in combinations(sides, 2)))


_BY_LANGUAGE: Final = {
    "en": _numbers(
        "minus=minus %=percent 0=zero 0.5=half 2=two,twice 3=three,thrice 4=four 5=five 6=six 7=seven 8=eight 9=nine 10=ten 11=eleven 12=twelve,dozen "
        "13=thirteen 14=fourteen 15=fifteen 16=sixteen 17=seventeen 18=eighteen 19=nineteen 20=twenty 30=thirty "
        "40=forty 50=fifty 60=sixty 70=seventy 80=eighty 90=ninety 100=hundred 1000=thousand 1000000=million "
        "1000000000=billion"
    ),
    "de": _numbers(
        "%=prozent 0.5=halb,halbe,halben,halber,halbes 2=zwei,zwo 3=drei 4=vier 5=fünf 6=sechs 7=sieben 8=acht 9=neun 10=zehn 12=zwölf 13=dreizehn 14=vierzehn "
        "15=fünfzehn 16=sechzehn 17=siebzehn 18=achtzehn 19=neunzehn 20=zwanzig 30=dreissig 40=vierzig 50=fünfzig "
        "60=sechzig 70=siebzig 80=achtzig 90=neunzig 100=hundert 1000=tausend 1000000=millionen"
    ),
    "fr": _numbers(
        "2=deux 3=trois 4=quatre 5=cinq 7=sept 8=huit 10=dix 11=onze 12=douze 13=treize 14=quatorze 15=quinze "
        "16=seize 20=vingt,vingts 30=trente 40=quarante 50=cinquante 60=soixante 1000=mille 1000000=millions"
    ),
    "it": _numbers(
        "3=tre 4=quattro 5=cinque 7=sette 8=otto 9=nove 10=dieci 11=undici 12=dodici 13=tredici 14=quattordici "
        "15=quindici 16=sedici 17=diciassette 18=diciotto 19=diciannove 20=venti 30=trenta 40=quaranta 50=cinquanta "
        "60=sessanta 70=settanta 80=ottanta 90=novanta 100=cento 1000=mila 1000000=milione,milioni"
    ),
    "es": _numbers(
        "2=dos 3=tres 4=cuatro 5=cinco 6=seis 7=siete 8=ocho 9=nueve 10=diez 12=doce 13=trece 14=catorce 15=quince "
        "16=dieciséis 17=diecisiete 18=dieciocho 19=diecinueve 20=veinte 30=treinta 40=cuarenta 50=cincuenta "
        "60=sesenta 70=setenta 80=ochenta 90=noventa 100=cien,ciento 1000=mil 1000000=millón,millones"
    ),
    "pt": _numbers(
        "2=dois,duas 3=três 4=quatro 5=cinco 6=seis 7=sete 8=oito 9=nove 10=dez 12=doze 13=treze 14=quatorze,catorze "
        "15=quinze 16=dezesseis 17=dezessete 18=dezoito 19=dezenove 20=vinte 30=trinta 40=quarenta 50=cinquenta "
        "60=sessenta 70=setenta 80=oitenta 90=noventa 100=cem 1000=mil 1000000=milhão,milhões"
    ),
}

_DATES: Final = {
    "en": _numbers(
        "m1=january m2=february m4=april m6=june m7=july m8=august m9=september m10=october m11=november m12=december "
        "d1=monday d2=tuesday d3=wednesday d4=thursday d5=friday d6=saturday d7=sunday"
    ),
    "de": _numbers(
        "m1=januar m2=februar m3=märz m6=juni m7=juli m10=oktober m12=dezember "
        "d1=montag d2=dienstag d3=mittwoch d4=donnerstag d5=freitag d6=samstag,sonnabend d7=sonntag"
    ),
    "fr": _numbers(
        "m1=janvier m2=février m4=avril m6=juin m7=juillet m8=août m9=septembre m10=octobre m11=novembre m12=décembre "
        "d1=lundi d2=mardi d3=mercredi d4=jeudi d5=vendredi d6=samedi d7=dimanche"
    ),
    "it": _numbers(
        "m1=gennaio m2=febbraio m3=marzo m4=aprile m5=maggio m6=giugno m7=luglio m8=agosto m9=settembre m10=ottobre "
        "m11=novembre m12=dicembre d1=lunedì d2=martedì d3=mercoledì d4=giovedì d5=venerdì d6=sabato d7=domenica"
    ),
    "es": _numbers(
        "m1=enero m2=febrero m4=abril m5=mayo m6=junio m7=julio m9=septiembre m10=octubre m11=noviembre m12=diciembre "
        "d1=lunes d2=martes d3=miércoles d4=jueves d5=viernes d6=sábado d7=domingo"
    ),
    "pt": _numbers(
        "m1=janeiro m2=fevereiro m3=março m6=junho m7=julho m9=setembro m10=outubro m11=novembro m12=dezembro "
        "d1=segunda-feira d2=terça-feira d3=quarta-feira d4=quinta-feira d5=sexta-feira"
    ),
}

# One, which is an article too: it counts beside another number only (twenty-one, treinta y un, one or two).
ONES: Final = frozenset(["one", "ein", "eins", "eine", "einen", "un", "une", "uno", "una", "um", "uma"])
BETWEEN_NUMBERS: Final = frozenset(["and", "or", "to", "und", "oder", "bis", "et", "ou", "à", "e", "o", "a", "y", "u"])

NUMBER_WORDS: Final[dict[str, str]] = {
    word: number for table in (_BY_LANGUAGE, _DATES) for row in table.values() for word, number in row.items()
}

# Chinese and Japanese numerals; a run of them is one number. 一 is an article as often as a number: alone it is none.
NUMERALS: Final = frozenset("〇零半二两兩三四五六七八九十百千万萬亿億")
LONE_NUMERAL: Final = "一"
HALF: Final = "半"
DIGITS: Final = dict(zip("〇零一二两兩三四五六七八九", "0012223456789", strict=True))

_NEGATION: Final = {
    "en": "not no never none nobody nothing nowhere neither nor without cannot hardly barely scarcely rarely seldom",
    "de": "nicht kein keine keinen keinem keiner keines nie niemals niemand niemanden nichts ohne weder kaum",
    "fr": "ne pas jamais rien sans aucun aucune ni guère rarement",
    "it": "non mai niente nulla nessuno nessuna senza né",
    "es": "no nunca jamás nada nadie ningún ninguno ninguna tampoco",
    "pt": "não nunca nada ninguém nenhum nenhuma sem nem",
}
NEGATION: Final = _words(_NEGATION)
# French says it in two words, and often leaves the first out: je ne sais pas, je sais pas. Both are one negation.
NE: Final = "ne"
AFTER_NE: Final = frozenset(["pas", "jamais", "rien", "aucun", "aucune", "ni", "guère"])
# 彼女 is no 彼 with a character more: she, not he.
SHE: Final = ("彼女", "她")
# For scripts without spaces, as parts of a text; the longest first.
NEGATION_PARTS: Final = (
    "なかった",
    "ません",
    "没有",
    "沒有",
    "ない",
    "不",
    "没",
    "沒",
    "未",
    "别",
    "無",
    "无",
)

ALWAYS: Final = frozenset(["always", "immer", "toujours", "sempre", "siempre", "总是", "總是", "いつも"])

_FUNCTION: Final = {
    "en": "a an the this that these those i me my myself you your yours yourself he him his himself she her hers "
    "herself it its itself we us our ours ourselves they them their theirs themselves who whom whose which what "
    "when where why how and or but if then than so as of in on at to from by for with about into onto over under "
    "after before during between through up down out off again be am is are was were been being have has had "
    "having do does did doing done would shall should could must just also too very really quite there here one "
    "some any each every both all such same other more most only m s t d ll re ve while because since until "
    "although though however yes oh got get gets",
    "de": "der den das dem des ein eine einen einem einer eines ich mich mir mein meine meinen meinem meiner du dich dir "
    "dein deine deinen deinem deiner deines er ihn ihm sie ihr ihre ihren ihrem es wir uns unser unsere euch euer und oder aber wenn als wie "
    "meines seiner seines ihrer ihres unserem unseren unserer unseres dass weil ob von vom in im an am auf zu zum zur aus bei beim mit nach für über unter vor durch gegen um ist "
    "sind waren bist sein seine seinen seinem wird werden wurde habe haben hatte auch noch schon sehr so nur doch "
    "da dort dann dieser diese dieses",
    "fr": "le la les l un une des du de d au aux ce cet cette ces je j me m moi mon ma tu te t toi ta tes il on nous "
    "vous ils elles se s soi sa ses notre nos votre vos leur leurs lui y en et ou mais si que qu qui quoi dont où "
    "à dans sur sous avec chez sont était être suis es sommes êtes ai as a avons avez ont avait très plus aussi "
    "bien c",
    "it": "il lo la i gli le l un uno una di del della dei delle dello a alla ai alle da dal dalla in nel nella con su "
    "sul sulla per tra fra e o ma se che chi cui io mi me mio miei mie tu ti te tuo tua lui lei suo sua noi ci "
    "nostro nostra voi vi loro si è sono erano essere ho hai ha abbiamo avete hanno aveva molto più anche questo "
    "questa",
    "es": "el la los las lo un una unos unas de del a en con por para sobre entre y e o u pero si que quien yo me mi "
    "mis mí tú te tu tus él le les se su sus nosotros nos nuestro nuestra ellos ellas es eran ser estoy está "
    "están estar fue he has ha hemos han había muy más también esta esto ese esa",
    "pt": "o a os as um uma uns umas de do da dos das em no na nos nas com por para pelo pela e ou mas se que quem eu "
    "me meu minha meus minhas tu te teu tua você ele ela lhe seu sua seus suas nós nosso nossa eles elas é são "
    "eram ser estou está estão estar foi tenho tem temos têm tinha muito mais também esta isto esse essa",
}
FUNCTION_WORDS: Final = _words(_FUNCTION)
# Words, mostly of grammar, that say the contrary of each other; of each pair any word of the one side and any of the
# other. Texts of which one has one side only, and the other the other, say different things.
_OPPOSITES: Final = {
    "en": "he,him,his,himself/she,her,hers,herself before/after from/to in/out into/out on/off up/down over/under "
    "until/since all/some more/less,fewer most/least for/against same/other am/pm",
    "de": "er,ihn,ihm/sie vor/nach vor/seit bis/seit von,aus/nach,zu,an in/aus für/gegen mit/ohne auf,über/unter mehr/weniger",
    "fr": "il,lui/elle ils/elles sur/sous avant/après avec/sans pour/contre plus/moins",
    "it": "lui/lei su/sotto prima/dopo con/senza per/contro più/meno",
    "es": "él/ella con/sin sobre/bajo antes/después desde/hasta más/menos",
    "pt": "ele/ela com/sem sobre/sob antes/depois desde/até mais/menos",
}
OPPOSITES: Final = _pairs(_OPPOSITES)
OPPOSED: Final = frozenset(word for pair in OPPOSITES for side in pair for word in side)
# The same, but for words that may change places without harm: persons, case, tense, mood, quantity, prepositions.
# (For *her*, *it*, *his* and *sie*, *ihr* tell no case; *we* and *I* often say the same, and so do *they* and *he* or
# *she*.)
_CONTRASTS: Final = {
    "en": "i,me,my,mine,myself/you,your,yours,yourself/he,him,his,himself "
    "i,me,my,mine,myself/you,your,yours,yourself/she,her,hers,herself "
    "i,me,my,mine,myself/you,your,yours,yourself/they,them,their,theirs,themselves "
    "we,us,our,ours,ourselves/you,your,yours,yourself/they,them,their,theirs,themselves "
    "we,us,our,ours,ourselves/he,him,his,himself we,us,our,ours,ourselves/she,her,hers,herself "
    "i/me he/him we/us they/them am,is,are/was,were has,have/had "
    "will/would,could,might,should do,does,did/can,could,may,might/must,should/will,would "
    "all,every,each/most/some/both/any both/one here/there and/or for/from for/with for/by by/to by/with from/with "
    "during,while/before/after if/unless when/unless because/although,though/when too/very,quite past/to",
    "de": "ich,mich,mir,mein,meine,meinen,meinem,meiner,meines/du,dich,dir,dein,deine,deinen,deinem,deiner,deines"
    "/er,ihn,ihm,seine,seinen,seinem,seiner,seines "
    "ich,mich,mir,mein,meine,meinen,meinem,meiner,meines/du,dich,dir,dein,deine,deinen,deinem,deiner,deines"
    "/sie,ihr,ihre,ihren,ihrem,ihrer,ihres "
    "seine,seinen,seinem,seiner,seines/ihre,ihren,ihrem,ihrer,ihres "
    "wir,uns,unser,unsere,unserem,unseren,unserer,unseres/sie,ihre,ihren,ihrem,ihrer,ihres ich/mich,mir du/dich,dir "
    "er/ihn,ihm wir/uns bin,bist,ist,sind/war,waren,warst hat,habe,haben/hatte,hatten "
    "wird,werden/ist,sind,wurde,wurden noch/schon und/oder für/von für/mit während/vor während/nach",
    "fr": "mon,ma,mes/ton,ta,tes/son,sa,ses notre,nos/votre,vos notre,nos/leur,leurs "
    "je,j/tu/il,elle nous/vous nous/ils,elles je,j/me,moi est,sont,suis/était,étaient,étais "
    "a,ai,ont/avait,avaient,avais pour/par pour/avec et/ou qui/que très/plus pendant/avant pendant/après "
    "monsieur,m/madame,mme",
    "it": "mio,mia,miei,mie/tuo,tua,tuoi,tue/suo,sua,suoi,sue nostro,nostra,nostri,nostre/vostro,vostra,vostri,vostre "
    "nostro,nostra,nostri,nostre/loro io/tu/lui,lei io/mi è,sono/era,erano,ero ha,ho,hanno/aveva,avevano,avevo "
    "ho/ha per/con da,dal,dalla/a,al,alla solo/anche molto/più",
    "es": "mi,mis,mí/tu,tus/su,sus nuestro,nuestra,nuestros,nuestras/su,sus yo/tú,usted/él,ella "
    "yo/me es,soy/era,eran,fue,fueron está,están,estoy/estaba,estaban,estuvo ha,han,he/había,habían soy/es "
    "estoy/está para/con solo,sólo/también muy/más durante/antes/después",
    "pt": "meu,minha,meus,minhas/teu,tua,teus,tuas meu,minha,meus,minhas/seu,sua,seus,suas eu/você,tu/ele,ela "
    "nosso,nossa,nossos,nossas/seu,sua,seus,suas eu/me,mim é,são/era,eram,foi,foram está,estão,estou/estava,estavam "
    "tem,têm,tenho/tinha,tinham sou/é estou/está tenho/tem para/com só/também muito/mais durante/antes/depois",
}
CONTRASTS: Final = OPPOSITES + _pairs(_CONTRASTS)
COUNTERPARTS: Final[dict[str, list[tuple[frozenset[str], frozenset[str]]]]] = {}
for _one, _other in CONTRASTS:
    for _sides in ((_one, _other), (_other, _one)):
        for _word in _sides[0]:
            COUNTERPARTS.setdefault(_word, []).append(_sides)
CONTRASTED: Final = frozenset(COUNTERPARTS)
# Who does becomes to whom it is done where a text has a word of each side: was … by.
PASSIVES: Final = _pairs(
    {
        "en": "by/is,are,was,were,be,been,being",
        "de": "von/wird,werden,wurde,wurden,worden",
        "fr": "par/été,est,sont,était,étaient",
        "it": "da,dal,dalla/è,sono,era,erano,stato,stata,stati,state,viene,venne",
        "es": "por/es,fue,fueron,sido",
        "pt": "por,pelo,pela/é,são,foi,foram,sido",
    }
)
AGENTS: Final = frozenset(word for pair in PASSIVES for side in pair for word in side)
# Words that take away, each kind in its way, that something is so; each row a kind: doubt, condition, nearly, no more,
# not yet, no longer, not each time, nothing else, not by oneself, not the nearest. Two words in succession are joined
# by _; what is in a script without spaces is a part of a text. Left out: may, fast, se, si, late, plant, espera, sólo,
# and others.
_WILLING: Final = (
    "want wants wanted wanting plan plans planned planning hope hopes hoped hoping wish wishes wished intend intends "
    "intended try tries tried trying refuse refuses refused forget forgets forgot forgotten fail fails failed pretend "
    "pretends pretended claim claims claimed"
)
_RESERVATIONS: Final = (
    "might maybe perhaps possibly probably presumably supposedly allegedly apparently claims_that claimed_that "
    "vielleicht möglicherweise wahrscheinlich vermutlich angeblich peut-être probablement forse probabilmente quizás "
    "quizá probablemente talvez provavelmente 可能 也许 也許 或许 或許 大概 かもしれ たぶん おそらく",
    "if whether unless falls 如果 要是 もし",
    "almost nearly beinahe presque failli quasi casi quase 差点 差點 几乎 幾乎",
    "ex former formerly previously used_to ehemalige ehemaliger ehemaligen ehemaligem ehemaliges ehemals früher "
    "autrefois 曾经 曾經 以前",
    " ".join(f"{verb}_to" for verb in _WILLING.split()) + " wishes wished pretends pretended möchte möchten wollte "
    "wollten hofft hoffte versucht versuchte vergessen vergass weigert weigerte behauptet behauptete veut voudrait "
    "voulait espère refuse refusé oublie oublié prétend vuole vorrebbe voleva quiere quería intenta queria gostaria "
    "打算 希望 忘了 忘记 拒绝 假装 想要 つもり 予定 ふりを",
    "stop stops stopped quit quits quitting ceased aufgehört aufhören aufgegeben arrêté arrête cessé dejó_de dejado_de "
    "deixou_de parou_de 停止 戒了",
    "every_other every_second every_third jeden_zweiten jede_zweite jedes_zweite 每隔 おきに",
    "only lediglich nur seulement uniquement soltanto solamente somente apenas 只有 只能 仅 だけ",
    "られ され 被 给 給",
    "after_tomorrow before_yesterday after_next before_last christmas_eve s_eve pasado_mañana de_amanhã 明後日 一昨日 "
    "再来週 再来月 再来年 先々",
)
RESERVATION_PARTS: Final = tuple(tuple(entry for entry in row.split() if entry[0] >= "\u2e80") for row in _RESERVATIONS)
RESERVATIONS: Final = tuple(frozenset(row.split()).difference(*RESERVATION_PARTS) for row in _RESERVATIONS)
RESERVED: Final = frozenset(entry for row in RESERVATIONS for entry in row if "_" not in entry)
PHRASES: Final = frozenset(tuple(entry.split("_")) for row in RESERVATIONS for entry in row if "_" in entry)
# Says that something is yet to come, where the verb has another form in the other text: will move, moved.
FUTURE: Final = frozenset(["will", "shall"])
# What may stand before the members of a list besides; Portuguese o is Spanish for or.
_ARTICLES: Final = {
    "en": "the a an",
    "de": "der die das den dem des ein eine einen einem einer eines",
    "fr": "le la les l un une des",
    "it": "il lo la i gli le un uno una",
    "es": "el la los las un una unos unas",
    "pt": "a os as um uma uns umas",
}
ARTICLES: Final = _words(_ARTICLES)
# What says where, when and whose of the word that follows; with its other forms, and those that may stand for it.
_PREPOSITIONS: Final = {
    "en": "of in on at to,with from by for without about into onto over under after before during between through "
    "against since until near behind beside inside outside above below up down out off",
    "de": "im,ins am,ans auf,aufs zu,zum,zur aus bei,beim mit ohne nach von,vom für über unter vor hinter neben "
    "zwischen durch gegen um seit bis während wegen",
    "fr": "à,au,aux de,du dans en sur sous avec sans chez pour contre avant après pendant depuis vers derrière devant",
    "it": "di,del,della,dei,delle,dello alla,ai,alle,al dal,dalla nel,nella con senza su,sul,sulla per tra,fra dopo "
    "prima dietro",
    "es": "sin por para sobre entre desde hasta tras ante bajo",
    "pt": "ao,à da,do,das em,no,na,nas com sem pelo,pela sob até",
}
PREPOSITIONS: Final[dict[str, str]] = {
    form: forms.split(",")[0] for row in _PREPOSITIONS.values() for forms in row.split() for form in forms.split(",")
}
# Prepositions that mostly say the same: at the weekend, on the weekend.
ALIKE: Final = _pairs({"en": "in/at on/at", "fr": "en/dans", "it": "in/nel in/alla", "es": "en/por"})
# Words of grammar that are no mere ornament: another word in their place says something else.
_WEIGHTY: Final = {
    "en": "is are was were have has had do does did would should could must can may will all some any each every both "
    "most other same this these those",
    "de": "ist sind wird werden wurde wurden habe haben hatte hatten dieser diese dieses",
    "fr": "sont était étaient suis ont avait avaient ce cet cette ces",
    "it": "è sono era erano ha hanno aveva avevano questo questa",
    "es": "fue era eran está están ha han había esta ese esa",
    "pt": "é são era eram foi está estão tem têm tinha esta esse essa",
}
WEIGHTY: Final = (PREPOSITIONS.keys() | _words(_WEIGHTY)) - ARTICLES
# Words that join the members of a list, which may change places.
COORDINATORS: Final = frozenset(["and", "or", "nor", "und", "oder", "et", "ou", "e", "o", "y", "u", ","])
# What Japanese says politely, and as it says it plainly; the longest first. And what is written in two ways.
PLAINLY: Final = _replacements(
    "ませんでした=なかった ません=ない ました=た ています=ている でいます=でいる がいます=がいる はいます=はいる にいます=にいる "
    "もいます=もいる います=う します=する ります=る みます=む できます=できる きます=く ます=る でした=だった である=だ です=だ "
    "達=たち 子ども=子供 こども=子供"
)
# Particles of case, and as what they count when their order is compared.
CASES: Final = {"が": "が", "は": "が", "を": "を", "に": "に", "へ": "に"}
# For scripts without spaces, single characters that carry grammar rather than meaning.
FUNCTION_CHARACTERS: Final = frozenset("的了着過过是在和与與就都也很地得之はがをにでともへやかねよのだでし ")

# What an English contraction stands for; possessive and "is" share 's and are function words alike.
CONTRACTIONS: Final = {
    "can't": ("can", "not"),
    "won't": ("will", "not"),
    "shan't": ("shall", "not"),
    "ain't": ("is", "not"),
    "cannot": ("can", "not"),
    "i'm": ("i", "am"),
    "hab": ("habe",),
    "let's": ("let", "us"),
}
# What a short s may stand for that is nobody's: Anna's tired, wie geht's.
SHORT_S: Final = ("is", "has", "es")
CONTRACTED_ENDINGS: Final = {
    "n't": "not",
    "'re": "are",
    "'ve": "have",
    "'ll": "will",
    "'d": "would",
    "'s": "s",
    "'m": "am",
}

# Units that may be glued to a number: 3kg is 3 and kg, 15th is 15; any other word with a digit is a code.
_UNITS: Final = (
    "st nd rd th kg g mg t km m cm mm mi ft in lb lbs oz l ml h hr hrs min mins s sec ms am pm kb mb gb tb mph kmh "
    "bpm k % ° °c °f c f w kw v x er e a o º ª € $ £ ¥"
)
UNITS: Final = frozenset(_UNITS.split())

_IRREGULAR: Final = (
    "go goes went gone going, buy buys bought buying, bring brings brought bringing, think thinks thought thinking, "
    "catch caught, teach taught, feel feels felt feeling, keep keeps kept, leave leaves left leaving, lose loses "
    "lost losing, meet meets met meeting, make makes made making, take takes took taken taking, give gives gave "
    "given giving, see sees saw seen seeing, eat eats ate eaten eating, drive drives drove driven driving, write "
    "writes wrote written writing, speak speaks spoke spoken speaking, break breaks broke broken breaking, choose "
    "chooses chose chosen choosing, begin begins began begun beginning, sing sings sang sung, swim swims swam swum "
    "swimming, run runs ran running, come comes came coming, become becomes became becoming, know knows knew known, "
    "grow grows grew grown, fly flies flew flown, draw draws drew drawn, tell tells told telling, sell sells sold "
    "selling, find finds found finding, hold holds held holding, say says said saying, pay pays paid paying, send "
    "sends sent sending, spend spends spent spending, build builds built building, win wins won winning, sit sits "
    "sat sitting, stand stands stood standing, understand understood, sleep sleeps slept sleeping, wear wears wore "
    "worn, read reads reading, child children, man men, woman women, person people, foot feet, tooth teeth, mouse "
    "mice, grey gray, gern gerne"
)
IRREGULAR: Final[dict[str, str]] = {word: row.split()[0] for row in _IRREGULAR.split(", ") for word in row.split()}
